"""The contracts that schemes fulfil, and what they are handed.

Shapes: B batch, C channels, ``*G`` grid, ``(N,)`` or ``(H, W)``, ``*K`` the modes of a Laplacian; channels first. The
grid spacing is one cell; times are in whatever unit ``dt`` is in, speeds in cells per that unit, damping in its
inverse.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from wavezoo.errors import WavezooError, require_positive
from wavezoo.layers import inverse_softplus
from wavezoo.system import Damping, Kick, Modes, Requires, Scheme, Source, WaveState, WaveSystem

__all__ = [
    "Damping",
    "Flow",
    "Grid",
    "Integrator",
    "Kick",
    "Laplacian",
    "Mixer",
    "Modes",
    "ParameterField",
    "Requires",
    "Scheme",
    "Source",
    "WaveState",
    "WaveSystem",
]

Grid = Sequence[int]


class Laplacian(Scheme, nn.Module, ABC):
    """A discrete Laplacian on a grid of unit spacing.

    Args:
        channels: number of channels C of the fields it acts on.
        ndim: number of grid axes, one of ``ndims``.

    Attributes:
        ndims: the numbers of grid axes it works on.
        boundary: ``"periodic"``, ``"reflecting"``, ``"zero"``, or ``"open"`` where there is no edge to speak of.
        causal: whether position i depends on positions up to i only.
        self_adjoint: whether it is symmetric and negative semi-definite.
        order: order of accuracy in the grid spacing; infinite for spectral accuracy, NaN for an operator that is not
            meant to approach ∇².
        diagonal: whether it offers `modes`.
        fixed_grid: the only grid it works on; None for any.
    """

    ndims: tuple[int, ...]
    boundary: str
    causal: bool
    self_adjoint: bool
    order: float
    diagonal: bool = False
    fixed_grid: tuple[int, ...] | None = None

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
    def spectral_radius(self, grid: Grid) -> float | Tensor:
        """Return an upper bound, as tight as can be, on the largest absolute eigenvalue on ``grid``, in 1 / cell².

        A number, or shape ``(C,)`` where it is learned channel by channel.
        """

    def modes(self, u: Tensor) -> Modes:
        """Return the eigenvectors for fields like ``u``; a Laplacian that declares ``diagonal`` overrides this."""
        raise WavezooError(f"{type(self).__name__} is diagonal in no basis that it could offer.")

    def degree(self) -> float | Tensor:
        """Return the d with which eigenvalues grow as ``h^-d`` when the same waves meet a finer grid of spacing h.

        2, as for ∇²; a number, or shape ``(C,)``, from a Laplacian that overrides this.
        """
        return 2.0

    def forward(self, u: Tensor) -> Tensor:
        """Apply the Laplacian to ``u`` of shape ``(B, C, *G)``."""
        return self.bind(u)(u)


class Flow(Scheme, nn.Module, ABC):
    """A medium that moves: what happens at rest, carried along.

    Args:
        channels: number of channels C.
        ndim: number of grid axes.

    Attributes:
        moves: whether it moves at all.
    """

    moves: bool

    def __init__(self, channels: int, ndim: int) -> None:
        super().__init__()
        self.channels = channels
        self.ndim = ndim

    @abstractmethod
    def carry(self, u: Tensor, time: Tensor) -> Tensor:
        """Return ``u`` of shape ``(B, C, *G)`` carried along for ``time``, a tensor that broadcasts to ``(C,)``."""


class Mixer(Scheme, nn.Module, ABC):
    """What mixes the positions of a grid: the first half of a block.

    Args:
        channels: number of channels C.
        ndim: number of grid axes.
        causal: let no position depend on later ones; sequences only.

    Raises:
        WavezooError: if it is asked to be causal and cannot be.

    Attributes:
        causality: whether a position depends on positions up to its own only: ``"always"``, ``"optional"``,
            ``"never"``, or ``"operator"`` where that is up to a wave operator's schemes.
        projects: whether it ends in a projection of its channels; the block gives others a gate and a projection.
    """

    causality: str
    projects: bool

    def __init__(self, channels: int, ndim: int, *, causal: bool = False) -> None:
        super().__init__()
        if causal and ndim != 1:
            raise WavezooError(f"causal=True on {ndim} grid axes: an image has no order of time. Use causal=False.")
        if causal and self.causality == "never":
            raise WavezooError(
                f"{type(self).__name__} is not causal: every position sees later ones, so that a next-token loss would "
                "leak. Use attention or depthwise, or causal=False for inputs that are known as a whole."
            )
        self.channels = channels
        self.ndim = ndim
        self.causal = causal or self.causality == "always"

    @abstractmethod
    def forward(self, x: Tensor) -> Tensor:
        """Map ``x`` of shape ``(B, C, *G)`` to the same shape."""


class Integrator(Scheme, ABC):
    """A one-step method for a `WaveSystem`.

    Attributes:
        order: order of accuracy in ``dt`` without damping; infinite for an exact one.
        damped_order: the same with ``exponential`` damping.
        symplectic: whether the energy stays bounded, without drift, below the stability limit.
        reversible: whether a step of ``-dt`` undoes a step of ``dt``.
        stability_limit: the largest stable ``omega * dt`` without damping; 0 for never stable, infinite for no limit.
        gamma_dt_limit: a ``gamma * dt`` up to which ``exponential`` and ``midpoint`` damping leave it stable for every
            ``omega * dt`` up to 0.95 of ``stability_limit``; infinite for no limit.
        accelerations_to_start: how often `init` evaluates the acceleration.
        accelerations_per_step: how often `step` does.
    """

    order: float
    damped_order: float
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

    def advance(
        self, system: WaveSystem, u: Tensor, v: Tensor | None, dt: float, steps: int, velocity: bool = True
    ) -> tuple[Tensor, Tensor | None]:
        """Return displacement and velocity after ``steps`` steps.

        One step after the other; a scheme that can do the same for less overrides this.

        Args:
            system: the medium.
            u: displacement, ``(B, C, *G)``.
            v: velocity, likewise; None for a field at rest.
            dt: time step.
            steps: number of steps, at least 1.
            velocity: whether the final velocity is wanted; without, None may stand in its place.
        """
        state = self.init(system, u, torch.zeros_like(u) if v is None else v)
        for _ in range(steps):
            state = self.step(system, state, dt)
        return state.u, state.v


class ParameterField(Scheme, nn.Module, ABC):
    """A positive coefficient of the wave equation, as a function of the layer's input.

    Args:
        channels: number of channels C.
        ndim: number of grid axes.
        initial: the value that a fresh field has in the middle of a grid where its input is zero; in cells / time for
            a speed, 1 / time for a damping.
        maximum: a bound on the values, which turns the link from a softplus, as published, into a sigmoid times the
            bound; None for no bound.

    Raises:
        WavezooError: if ``initial`` is not positive, or not below ``maximum``.

    Attributes:
        depends_on_input: whether the value depends on the input.
        depends_on_position: whether the value depends on the position by itself, whatever the input.
        causal: whether the value at a position depends on the input at positions up to it only.
        varies_in_space: whether the value can differ from position to position.
    """

    depends_on_input: bool
    depends_on_position: bool
    causal: bool
    varies_in_space: bool

    def __init__(self, channels: int, ndim: int, *, initial: float, maximum: float | None = None) -> None:
        super().__init__()
        require_positive("initial value of a field", initial)
        if maximum is not None and not initial < maximum < math.inf:
            raise WavezooError(f"maximum of a field is {maximum!r}; give a finite number above its initial {initial}.")
        self.channels = channels
        self.ndim = ndim
        self.initial = initial
        self.maximum = maximum

    @abstractmethod
    def forward(self, x: Tensor) -> Tensor:
        """Return positive values broadcastable to ``x`` of shape ``(B, C, *G)``."""

    def link(self, raw: Tensor) -> Tensor:
        """Map any real number to a positive one, below ``maximum`` if there is one."""
        if self.maximum is None:
            return nn.functional.softplus(raw)
        return self.maximum * torch.sigmoid(raw)

    def unlinked(self, value: float) -> float:
        """Return the number that `link` maps to ``value``."""
        if self.maximum is None:
            return inverse_softplus(value)
        return math.log(value / (self.maximum - value))
