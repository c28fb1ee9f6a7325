"""The contracts that schemes fulfil, and what they are handed.

Shapes: B batch, C channels, ``*G`` grid, ``(N,)`` or ``(H, W)``; channels first. The grid spacing is one cell; times
are in whatever unit ``dt`` is in, speeds in cells per that unit, damping in its inverse.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, NamedTuple

import torch
from torch import Tensor, nn

from wavezoo.errors import require_positive

Grid = Sequence[int]


class Scheme:
    """What every scheme of every axis declares.

    Attributes:
        variants: sets of options, besides the defaults, that the conformance suite should cover.
    """

    variants: ClassVar[tuple[Mapping[str, Any], ...]] = ()


class Laplacian(Scheme, nn.Module, ABC):
    """A discrete Laplacian on a grid of unit spacing.

    Args:
        channels: number of channels C of the fields it acts on.
        ndim: number of grid axes, one of ``ndims``.

    Attributes:
        ndims: the numbers of grid axes it works on.
        boundary: ``"periodic"``, ``"reflecting"`` or ``"zero"``.
        causal: whether position i depends on positions up to i only.
        self_adjoint: whether it is symmetric and negative semi-definite.
        order: order of accuracy in the grid spacing; infinite for spectral accuracy.
    """

    ndims: tuple[int, ...]
    boundary: str
    causal: bool
    self_adjoint: bool
    order: float

    def __init__(self, channels: int, ndim: int) -> None:
        super().__init__()
        self.channels = channels
        self.ndim = ndim

    @abstractmethod
    def bind(self, u: Tensor) -> Callable[[Tensor], Tensor]:
        """Return the map ``(B, C, *G) -> (B, C, *G)`` for fields with the grid, dtype and device of ``u``.

        Whatever depends on the grid alone is computed here, once for all steps of a forward pass.
        """

    @abstractmethod
    def spectral_radius(self, grid: Grid) -> float:
        """Return an upper bound, as tight as can be, on the largest absolute eigenvalue on ``grid``, in 1 / cell²."""

    def forward(self, u: Tensor) -> Tensor:
        """Apply the Laplacian to ``u`` of shape ``(B, C, *G)``."""
        return self.bind(u)(u)


class Damping(Scheme, ABC):
    """How damping changes the velocity during a kick.

    A step of a splitting integrator is a palindrome, so a kick comes in two mirror-image forms: the one in the first
    half of the step opens it, the one in the second half closes it.

    Attributes:
        order: the order of accuracy in ``dt`` to which it limits an integrator.
        gamma_dt_limit: the largest ``gamma * dt`` at which velocity Verlet is stable with it.
        stability_factor: the factor, at most 1, by which it lowers the integrator's ``stability_limit`` at worst.
        reversible: whether a kick of ``-dt`` in one form undoes a kick of ``dt`` in the other.
        uses_gamma: whether it reads the damping field at all.
    """

    order: float
    gamma_dt_limit: float
    stability_factor: float
    reversible: bool
    uses_gamma: bool

    @abstractmethod
    def decay(self, gamma: Tensor, dt: float) -> Tensor:
        """Return the factor by which a kick of length ``dt`` without acceleration multiplies the velocity.

        Computed once per forward pass and kick length, then handed to both kicks.
        """

    @abstractmethod
    def opening_kick(self, v: Tensor, a: Tensor, dt: float, decay: Tensor) -> Tensor:
        """Return the velocity after a kick by acceleration ``a`` for ``dt`` in the first half of a step."""

    @abstractmethod
    def closing_kick(self, v: Tensor, a: Tensor, dt: float, decay: Tensor) -> Tensor:
        """Return the velocity after a kick by acceleration ``a`` for ``dt`` in the second half of a step."""

    @abstractmethod
    def rate(self, v: Tensor, gamma: Tensor) -> Tensor:
        """Return the rate of change of the velocity due to damping, for integrators that do not split."""


class WaveSystem:
    """The medium of one forward pass: ``u' = v``, ``v' = c² L u - gamma v``. All that an integrator sees.

    Args:
        laplacian: a bound Laplacian, ``(B, C, *G) -> (B, C, *G)``.
        speed_squared: c², in cells² / time², broadcastable to ``(B, C, *G)``.
        damping: the damping scheme.
        gamma: the damping, in 1 / time, broadcastable to ``(B, C, *G)``; zero where the scheme does not use it.
    """

    def __init__(
        self,
        laplacian: Callable[[Tensor], Tensor],
        speed_squared: Tensor,
        damping: Damping,
        gamma: Tensor,
    ) -> None:
        self.laplacian = laplacian
        self.speed_squared = speed_squared
        self.damping = damping
        self.gamma = gamma
        self._decay: dict[float, Tensor] = {}

    def acceleration(self, u: Tensor) -> Tensor:
        """Return ``c² L u``, shape ``(B, C, *G)``."""
        return self.speed_squared * self.laplacian(u)

    def opening_kick(self, v: Tensor, a: Tensor, dt: float) -> Tensor:
        """Return the velocity after a damped kick of length ``dt`` in the first half of a step."""
        return self.damping.opening_kick(v, a, dt, self._decay_over(dt))

    def closing_kick(self, v: Tensor, a: Tensor, dt: float) -> Tensor:
        """Return the velocity after a damped kick of length ``dt`` in the second half of a step."""
        return self.damping.closing_kick(v, a, dt, self._decay_over(dt))

    def kick(self, v: Tensor, a: Tensor, dt: float) -> Tensor:
        """Return the velocity after a damped kick of length ``dt`` that stands alone: its two halves in turn."""
        return self.closing_kick(self.opening_kick(v, a, dt / 2), a, dt / 2)

    def damped_acceleration(self, u: Tensor, v: Tensor) -> Tensor:
        """Return ``c² L u - gamma v``, for integrators that do not split."""
        return self.acceleration(u) + self.damping.rate(v, self.gamma)

    def energy(self, u: Tensor, v: Tensor) -> Tensor:
        """Return the energy ``½ Σ v²/c² - ½ Σ u L u`` of each sample, shape ``(B,)``; conserved without damping."""
        # Where the speed underflows to zero nothing moves, and 0 / 0 stands for no energy.
        kinetic = torch.where(v == 0, 0.0, v.square() / self.speed_squared)
        return (kinetic - u * self.laplacian(u)).flatten(1).sum(1) / 2

    def _decay_over(self, dt: float) -> Tensor:
        if dt not in self._decay:
            self._decay[dt] = self.damping.decay(self.gamma, dt)
        return self._decay[dt]


class WaveState(NamedTuple):
    """What an integrator carries from step to step.

    Attributes:
        u: displacement, ``(B, C, *G)``.
        v: velocity, ``(B, C, *G)``.
        a: acceleration at ``u``, for integrators that need it again in the next step; otherwise None.
    """

    u: Tensor
    v: Tensor
    a: Tensor | None = None


class Integrator(Scheme, ABC):
    """A one-step method for a `WaveSystem`.

    Attributes:
        order: order of accuracy in ``dt`` without damping.
        damped_order: the same with ``exponential`` damping.
        symplectic: whether the energy stays bounded, without drift, below the stability limit.
        reversible: whether a step of ``-dt`` undoes a step of ``dt``.
        stability_limit: the largest stable ``omega * dt`` without damping; 0 for never stable, infinite for no limit.
        gamma_dt_limit: a ``gamma * dt`` up to which ``exponential`` and ``midpoint`` damping leave it stable for every
            ``omega * dt`` up to 0.95 of ``stability_limit``; infinite for no limit.
        accelerations_to_start: how often `init` evaluates the acceleration.
        accelerations_per_step: how often `step` does.
    """

    order: int
    damped_order: int
    symplectic: bool
    reversible: bool
    stability_limit: float
    gamma_dt_limit: float
    accelerations_to_start: int
    accelerations_per_step: int

    @abstractmethod
    def init(self, system: WaveSystem, u: Tensor, v: Tensor) -> WaveState:
        """Return the state at displacement ``u`` and velocity ``v``."""

    @abstractmethod
    def step(self, system: WaveSystem, state: WaveState, dt: float) -> WaveState:
        """Return the state a time ``dt`` later; ``dt`` may be negative."""


class ParameterField(Scheme, nn.Module, ABC):
    """A positive coefficient of the wave equation, as a function of the layer's input.

    Args:
        channels: number of channels C.
        ndim: number of grid axes.
        initial: the value that a fresh field has where its input is zero; in cells / time for a speed, 1 / time for
            a damping.

    Raises:
        WavezooError: if ``initial`` is not positive.

    Attributes:
        depends_on_input: whether the value depends on the input.
        depends_on_position: whether the value depends on the position by itself, whatever the input.
    """

    depends_on_input: bool
    depends_on_position: bool

    def __init__(self, channels: int, ndim: int, *, initial: float) -> None:
        super().__init__()
        require_positive("initial value of a field", initial)
        self.channels = channels
        self.ndim = ndim
        self.initial = initial

    @abstractmethod
    def forward(self, x: Tensor) -> Tensor:
        """Return positive values broadcastable to ``x`` of shape ``(B, C, *G)``."""
