"""A string struck by the tokens, as a mixer.

Shapes: B batch, C channels, N length, M modes, T times.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple, overload

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from wavezoo.errors import require_choice, require_whole
from wavezoo.mixers.linear import LinearSystem, convolve, kernel, run
from wavezoo.mixers.recurrent import RecurrentMixer, State
from wavezoo.wave.precision import without_autocast
from wavezoo.wave.spectral.oscillator import propagator

# Positions that a wave takes from end to end at the start, log-uniform over channels.
SHORTEST_CROSSING, LONGEST_CROSSING = 4.0, 1000.0
# Rates per position that stand for all slower and all faster ones, with which numbers would overflow.
SLOWEST, FASTEST = 1e-18, 1e4


class StringMixer(RecurrentMixer):
    """A string in every channel, struck by what comes in: positions are the times of a wave.

    Equation: ``u'' = c² ∂²u - γ u' + b x(t)`` with fixed ends, in its M modes ``q'' = -ω² q - γ q' + b x(t)``, where
    x is a strike at every position; heard are displacement (times ω, or the slope of the string) and velocity of every
    mode, and x itself: ``y = <w, u> + <w', u'> + d x``. Solved exactly, so that it is stable for every parameter and
    any length. The strike is scaled by ``sqrt(γ / (1 + γ))``, by which a string is equally loud whatever its damping.
    Start: a crossing in 4 to 1,000 positions, log-uniform; γ one over that; all modes struck equally; random readings.
    Frequencies, speeds, damping and strikes are `physical_parameters`, which do not decay. Causal it hears the past;
    otherwise a second string hears the future. Sequences only. Reach: the whole sequence. Cost: ``N log N`` in its
    length, N if causal. S4D-Lin (Gu et al. 2022) is a uniform string; D-LinOSS (Boyer et al. 2025) one that is stepped
    by symplectic Euler.

    Args:
        causal: let no position depend on later ones: one direction, run as a recurrence or by chunks.
        kind: ``"harmonic"``, a uniform string whose modes may be detuned; ``"medium"``, M cells with a speed each,
            within a factor of two of its mean, and strikes and readings by cell; ``"free"``, modes of any frequency, at
            the start log-uniform from the slowest of the string to half a turn a position.
        modes: number of modes M, each two numbers of state.

    Raises:
        WavezooError: if there is no such kind, if ``modes`` is no number of modes, or on images.
    """

    ndims = (1,)
    causality = "optional"
    projects = False
    variants = ({"modes": 3}, {"kind": "medium", "modes": 3}, {"kind": "free", "modes": 2})

    def __init__(
        self, channels: int, ndim: int, *, causal: bool = False, kind: str = "harmonic", modes: int = 16
    ) -> None:
        super().__init__(channels, ndim, causal=causal)
        require_choice("kind", kind, KINDS)
        self.kind = kind
        self.modes = require_whole("modes", modes)
        self.local_taps = 4 if self.causal else 3
        self.strings = nn.ModuleList(KINDS[kind](channels, modes) for _ in range(1 if self.causal else 2))
        self.d = nn.Parameter(torch.empty(channels, 1))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        nn.init.normal_(self.d)

    def initial_state(self, batch: int) -> State:
        self._require_causal()
        dtype = torch.promote_types(self.d.dtype, torch.float32)
        return (self.d.new_zeros(batch, self.channels, 2 * self.modes, dtype=dtype),)

    @overload
    def forward(self, x: Tensor) -> Tensor: ...

    @overload
    def forward(self, x: Tensor, state: State) -> tuple[Tensor, State]: ...

    def forward(self, x: Tensor, state: State | None = None) -> Tensor | tuple[Tensor, State]:
        with without_autocast(x.device):
            u = x.to(torch.promote_types(x.dtype, torch.float32))
            systems = [string(u.dtype) for string in self.strings]
            if self.causal:
                y, end = run(systems[0], u, None if state is None else state[0].to(u.dtype))
            else:
                past, future = (kernel(system, u.shape[-1], u.device) for system in systems)
                y, end = convolve(past, future, u), None
            y = (y + self.d.to(u.dtype) * u).to(x.dtype)
        return y if end is None else (y, (end,))

    def extra_repr(self) -> str:
        return f"kind={self.kind!r}, modes={self.modes}, causal={self.causal}"


class _Modes(NamedTuple):
    """Frequency, strike and readings of each mode, ``(C, M)``."""

    frequency: Tensor
    strike: Tensor
    slope: Tensor
    velocity: Tensor


class _String(nn.Module, ABC):
    def __init__(self, channels: int, modes: int) -> None:
        super().__init__()
        self.log_damping = nn.Parameter(torch.empty(channels, 1))
        self.readings = nn.Parameter(torch.empty(2, channels, modes))
        self.tune(channels, modes)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        # Drawn where the log of the damping will stand: that of the crossing, negated.
        nn.init.uniform_(self.log_damping, -math.log(LONGEST_CROSSING), -math.log(SHORTEST_CROSSING))
        nn.init.normal_(self.readings, std=self.readings.shape[-1] ** -0.5)
        with torch.no_grad():
            self.reset_tuning(-self.log_damping)

    def forward(self, dtype: torch.dtype) -> "_Oscillators":
        """Return the string as a system."""
        modes = self.modes(dtype)
        log_damping = self.log_damping.to(dtype)
        loudness = (F.logsigmoid(log_damping) / 2).exp()
        return _Oscillators(
            modes.frequency.clamp(-FASTEST, FASTEST),
            _rate(log_damping),
            modes.strike * loudness,
            torch.cat([modes.slope, modes.velocity], 1),
        )

    @abstractmethod
    def tune(self, channels: int, modes: int) -> None:
        """Make the parameters that say at which frequencies it vibrates."""

    @abstractmethod
    def reset_tuning(self, log_crossing: Tensor) -> None:
        """Set them, given the log of the positions that a wave takes from end to end, ``(C, 1)``."""

    @abstractmethod
    def modes(self, dtype: torch.dtype) -> _Modes:
        """Return what is known of each mode."""

    @abstractmethod
    def physical_parameters(self) -> Iterator[nn.Parameter]:
        """Yield the parameters that are physics."""


class _Harmonic(_String):
    def tune(self, channels: int, modes: int) -> None:
        self.log_crossing = nn.Parameter(torch.empty(channels, 1))
        self.number = nn.Parameter(torch.empty(channels, modes))

    def reset_tuning(self, log_crossing: Tensor) -> None:
        self.log_crossing.copy_(log_crossing)
        self.number.copy_(torch.arange(1, self.number.shape[-1] + 1))

    def modes(self, dtype: torch.dtype) -> _Modes:
        frequency = math.pi * self.number.to(dtype) * _rate(-self.log_crossing.to(dtype))
        slope, velocity = self.readings.to(dtype)
        return _Modes(frequency, torch.ones_like(slope), slope, velocity)

    def physical_parameters(self) -> Iterator[nn.Parameter]:
        yield from (self.log_damping, self.log_crossing, self.number)


class _Free(_String):
    def tune(self, channels: int, modes: int) -> None:
        self.log_frequency = nn.Parameter(torch.empty(channels, modes))

    def reset_tuning(self, log_crossing: Tensor) -> None:
        spread = torch.linspace(1, 0, self.log_frequency.shape[-1]).to(log_crossing)
        self.log_frequency.copy_(math.log(math.pi) - spread * log_crossing)

    def modes(self, dtype: torch.dtype) -> _Modes:
        slope, velocity = self.readings.to(dtype)
        return _Modes(_rate(self.log_frequency.to(dtype)), torch.ones_like(slope), slope, velocity)

    def physical_parameters(self) -> Iterator[nn.Parameter]:
        yield from (self.log_damping, self.log_frequency)


class _Medium(_String):
    """Cells with fixed ends: ``c D^T D c = Q Ω² Q^T``, D the difference of neighbours.

    Slope ``D u`` and velocity over speed are orthonormal maps, ``D c Q / Ω`` and ``Q``, of ``Ω q`` and ``q'``: the
    energy is half their squares. A wave to the right and one to the left differ in the sign of the one to the other.
    """

    def tune(self, channels: int, modes: int) -> None:
        self.log_crossing = nn.Parameter(torch.empty(channels, 1))
        self.detuning = nn.Parameter(torch.empty(channels, modes))
        self.strike = nn.Parameter(torch.empty(channels, modes))

    def reset_tuning(self, log_crossing: Tensor) -> None:
        self.log_crossing.copy_(log_crossing)
        self.detuning.zero_()
        # All modes of a uniform medium equally, which is a strike near one of the ends.
        cells = self.strike.shape[-1]
        numbers = torch.arange(1, cells + 1, dtype=torch.float64)
        shapes = torch.sin(numbers[:, None] * numbers * (math.pi / (cells + 1))) * math.sqrt(2 / (cells + 1))
        self.strike.copy_(shapes.sum(0))

    def modes(self, dtype: torch.dtype) -> _Modes:
        # Frequencies that are close to each other need it in the gradient.
        double = torch.float64
        cells = self.strike.shape[-1]
        log_speed = math.log(cells + 1) - self.log_crossing.to(double) + math.log(2) * self.detuning.to(double).tanh()
        speed = _rate(log_speed)
        neighbours = speed[:, :-1] * speed[:, 1:]
        matrix = torch.diag_embed(2 * speed.square()) - _beside_diagonal(neighbours)
        squared, q = torch.linalg.eigh(matrix)
        frequency = squared.clamp(min=torch.finfo(double).tiny).sqrt()
        moved = F.pad(speed[..., None] * q, (0, 0, 1, 1)).diff(dim=1) / frequency[:, None]
        # The slope behind the last cell is known from the others, whose sum it takes to zero.
        slope, velocity = (
            torch.einsum("cx,cxm->cm", w.to(double), f) for w, f in zip(self.readings, (moved[:, :-1], q), strict=True)
        )
        strike = torch.einsum("cx,cxm->cm", self.strike.to(double), q)
        return _Modes(*(each.to(dtype) for each in (frequency, strike, slope, velocity)))

    def physical_parameters(self) -> Iterator[nn.Parameter]:
        yield from (self.log_damping, self.log_crossing, self.detuning, self.strike)


KINDS: dict[str, type[_String]] = {"harmonic": _Harmonic, "medium": _Medium, "free": _Free}


def _rate(log: Tensor) -> Tensor:
    return log.clamp(math.log(SLOWEST), math.log(FASTEST)).exp()


def _beside_diagonal(values: Tensor) -> Tensor:
    return torch.diag_embed(values, 1) + torch.diag_embed(values, -1)


@dataclass
class _Oscillators(LinearSystem):
    """Modes of a string, in state ``ω q`` of each, then ``q'`` of each.

    Attributes:
        frequency: ω, in radians a position, ``(C, M)``.
        damping: γ, per position, ``(C, 1)``.
        strike: by how much a one changes the velocity of each, ``(C, M)``.
        readings: what is heard of each number of state, ``(C, 2 M)``.
    """

    frequency: Tensor
    damping: Tensor
    strike: Tensor
    readings: Tensor

    def heard(self, times: Tensor) -> Tensor:
        stay, turn, keep = self._powers(times)
        slope, velocity = self.readings[..., None].chunk(2, 1)
        return torch.cat([slope * stay - velocity * turn, slope * turn + velocity * keep], 1).mT

    def struck(self, times: Tensor) -> Tensor:
        _, turn, keep = self._powers(times)
        strike = self.strike[..., None]
        return torch.cat([strike * turn, strike * keep], 1)

    def power(self, time: int) -> tuple[Tensor, Tensor | None]:
        stay, turn, keep = (each.squeeze(-1) for each in self._powers(torch.tensor([time], device=self.strike.device)))
        return torch.cat([stay, keep], 1), torch.cat([turn, -turn], 1)

    def _powers(self, times: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return by what ``ω q`` goes into itself, into ``q'`` and back with opposite signs, and ``q'`` into itself."""
        times = times.to(self.frequency.dtype)
        angle = self.frequency[..., None] * times
        unit = propagator(angle.square(), self.damping[..., None] * times, 1.0)
        return unit.uu, angle * unit.uv, unit.vv
