"""The diagonal state space S4D as a mixer."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import overload

import torch
from torch import Tensor, nn

from wavezoo.errors import require_choice, require_whole
from wavezoo.mixers.linear import LinearSystem, convolve, kernel, run
from wavezoo.mixers.recurrent import RecurrentMixer, State
from wavezoo.wave.precision import without_autocast

KINDS = ("lin", "real")
SHORTEST_STEP, LONGEST_STEP = 0.001, 0.1


class S4DMixer(RecurrentMixer):
    """A diagonal state space in every channel, S4D: a sum of oscillations, or of decays, that are learned.

    Equation: ``h' = A h + B x``, ``y = 2 Re(C h) + D x``, x constant between positions (zero-order hold), positions
    ``dt`` apart. Source: Gu, Gupta, Goel & Ré 2022, On the Parameterization and Initialization of Diagonal State Space
    Models: ``A_n = -1/2 + iπn`` for S4D-Lin, ``A_n = -(n + 1)`` for S4D-Real, its real part minus an exponential;
    ``dt`` log-uniform from 0.001 to 0.1, ``B = 1``, ``C`` and ``D`` random. A, B and dt are `physical_parameters`,
    which do not decay, and which a recipe may give a learning rate of their own (``optimizer.physics_lr``), published
    as 0.001 at most. Both directions, of one system with a C each, unless ``causal``. Sequences only. Reach: the whole
    sequence. Cost: ``N log N`` in its length, N if causal.

    Args:
        causal: let no position depend on later ones: one direction, run as a recurrence or by chunks.
        kind: ``"lin"``, which oscillates, or ``"real"``, which decays.
        modes: number of modes, each two numbers of state, or one if real.

    Raises:
        WavezooError: if there is no such kind, if ``modes`` is no number of modes, or on images.
    """

    ndims = (1,)
    causality = "optional"
    projects = False
    variants = ({"modes": 3}, {"kind": "real", "modes": 2})

    def __init__(self, channels: int, ndim: int, *, causal: bool = False, kind: str = "lin", modes: int = 16) -> None:
        super().__init__(channels, ndim, causal=causal)
        require_choice("kind", kind, KINDS)
        self.kind = kind
        self.modes = require_whole("modes", modes)
        directions, parts = 1 if self.causal else 2, 1 if kind == "real" else 2
        self.log_dt = nn.Parameter(torch.empty(channels))
        self.log_decay = nn.Parameter(torch.empty(channels, modes))
        self.frequency = nn.Parameter(torch.empty(channels, modes)) if kind == "lin" else None
        # Complex numbers as pairs, so that a cast to another dtype keeps both parts.
        self.b = nn.Parameter(torch.empty(channels, modes, parts))
        self.c = nn.Parameter(torch.empty(directions, channels, modes, parts))
        self.d = nn.Parameter(torch.empty(channels, 1))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        nn.init.uniform_(self.log_dt, math.log(SHORTEST_STEP), math.log(LONGEST_STEP))
        with torch.no_grad():
            numbers = torch.arange(self.modes).to(self.log_decay)
            self.log_decay.copy_((numbers + 1).log() if self.frequency is None else torch.full_like(numbers, 0.5).log())
            if self.frequency is not None:
                self.frequency.copy_(math.pi * numbers)
            self.b.zero_()
            self.b[..., 0] = 1
        # A complex number of variance one.
        nn.init.normal_(self.c, std=self.c.shape[-1] ** -0.5)
        nn.init.normal_(self.d)

    def physical_parameters(self) -> Iterator[nn.Parameter]:
        yield from (self.log_dt, self.log_decay, self.b)
        if self.frequency is not None:
            yield self.frequency

    def initial_state(self, batch: int) -> State:
        self._require_causal()
        dtype = torch.promote_types(self.b.dtype, torch.float32)
        return (self.b.new_zeros(batch, self.channels, self.b[0].numel(), dtype=dtype),)

    @overload
    def forward(self, x: Tensor) -> Tensor: ...

    @overload
    def forward(self, x: Tensor, state: State) -> tuple[Tensor, State]: ...

    def forward(self, x: Tensor, state: State | None = None) -> Tensor | tuple[Tensor, State]:
        with without_autocast(x.device):
            u = x.to(torch.promote_types(x.dtype, torch.float32))
            systems = self._systems(u.dtype)
            if self.causal:
                y, end = run(systems[0], u, None if state is None else state[0].to(u.dtype))
            else:
                forward, backward = (kernel(system, u.shape[-1], u.device) for system in systems)
                y, end = convolve(forward, backward, u), None
            y = (y + self.d.to(u.dtype) * u).to(x.dtype)
        return y if end is None else (y, (end,))

    def _systems(self, dtype: torch.dtype) -> list["_Modes"]:
        """Return the system of each direction."""
        dt = self.log_dt.to(dtype).exp()[:, None]
        decay, b = self.log_decay.to(dtype).exp(), self.b.to(dtype)
        if self.frequency is None:
            held = (-torch.expm1(-dt * decay) / decay)[..., None] * b
            return [_Modes(dt * decay, None, held, c) for c in self.c.to(dtype)]
        frequency = self.frequency.to(dtype)
        growth, angle = torch.exp(-dt * decay), dt * frequency
        # (e^(A dt) - 1) / A, whose difference loses nothing where A dt is small.
        change = torch.expm1(-dt * decay) * angle.cos() - 2 * (angle / 2).sin().square(), growth * angle.sin()
        size = decay.square() + frequency.square()
        real = (frequency * change[1] - decay * change[0]) / size
        imaginary = -(decay * change[1] + frequency * change[0]) / size
        held = _product(b, torch.stack([real, imaginary], -1))
        return [_Modes(dt * decay, angle, held, 2 * c) for c in self.c.to(dtype)]

    def extra_repr(self) -> str:
        return f"kind={self.kind!r}, modes={self.modes}, causal={self.causal}"


@dataclass
class _Modes(LinearSystem):
    """Modes that decay and turn from position to position, in state a real part each, then an imaginary part each.

    Attributes:
        decay: by how many powers of e a position lets each decay, ``(C, M)``.
        angle: by how much it turns each, ``(C, M)``, or None.
        b: what a one adds to each, ``(C, M, P)``, parts P of a complex number or one.
        c: what is heard of each, ``(C, M, P)``.
    """

    decay: Tensor
    angle: Tensor | None
    b: Tensor
    c: Tensor

    def heard(self, times: Tensor) -> Tensor:
        power = self._powers(times)
        if self.angle is None:
            return (self.c * power[0]).mT
        (real, imaginary), (c_real, c_imaginary) = power, self.c.unbind(-1)
        c_real, c_imaginary = c_real[..., None], c_imaginary[..., None]
        return torch.cat([c_real * real - c_imaginary * imaginary, -c_real * imaginary - c_imaginary * real], 1).mT

    def struck(self, times: Tensor) -> Tensor:
        power = self._powers(times)
        if self.angle is None:
            return self.b * power[0]
        (real, imaginary), (b_real, b_imaginary) = power, self.b.unbind(-1)
        b_real, b_imaginary = b_real[..., None], b_imaginary[..., None]
        return torch.cat([b_real * real - b_imaginary * imaginary, b_real * imaginary + b_imaginary * real], 1)

    def power(self, time: int) -> tuple[Tensor, Tensor | None]:
        real, *imaginary = (each.squeeze(-1) for each in self._powers(torch.tensor([time], device=self.decay.device)))
        if not imaginary:
            return real, None
        return torch.cat([real, real], 1), torch.cat([-imaginary[0], imaginary[0]], 1)

    def _powers(self, times: Tensor) -> tuple[Tensor, ...]:
        """Return the parts of what ``times`` positions multiply each mode by, each ``(C, M, T)``."""
        times = times.to(self.decay.dtype)
        size = torch.exp(-self.decay[..., None] * times)
        if self.angle is None:
            return (size,)
        angle = self.angle[..., None] * times
        return size * angle.cos(), size * angle.sin()


def _product(a: Tensor, b: Tensor) -> Tensor:
    """Return the product of complex numbers as pairs."""
    real = a[..., 0] * b[..., 0] - a[..., 1] * b[..., 1]
    return torch.stack([real, a[..., 0] * b[..., 1] + a[..., 1] * b[..., 0]], -1)
