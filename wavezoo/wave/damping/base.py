"""The contract of damping schemes.

Shapes: B batch, C channels, ``*G`` grid, ``(N,)`` or ``(H, W)``; channels first. The grid spacing is one cell; times
are in whatever unit ``dt`` is in, speeds in cells per that unit, damping in its inverse.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import NamedTuple

from torch import Tensor, nn

from wavezoo.errors import require_whole
from wavezoo.wave.scheme import Scheme


class Kick(NamedTuple):
    """The coefficients of a change of velocity, ``v⁺ = decay v + push a``; a decay of None is one of 1."""

    decay: Tensor | None
    push: Tensor | float

    def then(self, later: "Kick") -> "Kick":
        """Return this kick and a ``later`` one, by the same acceleration, as one."""
        if later.decay is None:
            return Kick(self.decay, self.push + later.push)
        decay = later.decay if self.decay is None else later.decay * self.decay
        return Kick(decay, later.decay * self.push + later.push)


class Damping(Scheme, nn.Module, ABC):
    """How velocity is lost: at which rate, cell by cell or mode by mode, and how a kick of the integrator takes it.

    The equation is ``u_tt = c² ∇²u - rate u_t``. The rate is proportional to γ, what the damping field gives, by a
    factor that may be learned and may depend on the mode; it depends on neither displacement nor velocity.

    A step of a splitting integrator is a palindrome, so a kick comes in two mirror-image forms: the one in the first
    half of the step opens it, the one in the second half closes it. A damping with parameters sets them in
    ``reset_parameters()``, to be called by its constructor.

    Args:
        channels: number of channels C.
        ndim: number of grid axes.

    Attributes:
        order: the order of accuracy in ``dt`` to which it limits an integrator.
        gamma_dt_limit: the largest ``gamma * dt`` at which velocity Verlet is stable with it.
        stability_factor: the factor, at most 1, by which it lowers the integrator's ``stability_limit`` at worst.
        reversible: whether a kick of ``-dt`` in one form undoes a kick of ``dt`` in the other.
        uses_gamma: whether it reads the damping field at all.
        exact_decay: whether a kick without acceleration is the exact solution of the equation.
        in_modes: whether it acts on every mode of the Laplacian by itself instead of on every cell.
        causal: whether the loss at a position depends on positions up to it only.
    """

    order: float
    gamma_dt_limit: float
    stability_factor: float
    reversible: bool
    uses_gamma: bool
    exact_decay: bool = False
    in_modes: bool = False
    causal: bool = True

    def __init__(self, channels: int, ndim: int) -> None:
        super().__init__()
        self.channels = require_whole("channels", channels)
        self.ndim = ndim

    @abstractmethod
    def rate(self, gamma: Tensor, eigenvalues: Tensor | None) -> Tensor:
        """Return the rate at which velocity is lost, in 1 / time, proportional to ``gamma``.

        Args:
            gamma: γ, broadcastable to ``(B, C, *G)``, in 1 / time or, for a factor of |k|², in cells² / time.
            eigenvalues: where ``in_modes``, those of the Laplacian: not positive, broadcastable to the modes
                ``(B, C, *K)``, in 1 / cell²; otherwise None.
        """

    @abstractmethod
    def opening(self, rate: Tensor, dt: float) -> Kick:
        """Return the coefficients of a kick of length ``dt`` in the first half of a step, shaped as ``rate``."""

    @abstractmethod
    def closing(self, rate: Tensor, dt: float) -> Kick:
        """Return the coefficients of a kick of length ``dt`` in the second half of a step, shaped as ``rate``."""


KickForm = Callable[[Damping, Tensor, float], Kick]


def opening(damping: Damping, rate: Tensor, dt: float) -> Kick:
    """Return the kick that opens a step."""
    return damping.opening(rate, dt)


def closing(damping: Damping, rate: Tensor, dt: float) -> Kick:
    """Return the kick that closes a step."""
    return damping.closing(rate, dt)


def between(damping: Damping, rate: Tensor, dt: float) -> Kick:
    """Return the kick that closes a step and opens the next, by the same acceleration."""
    return damping.closing(rate, dt).then(damping.opening(rate, dt))


def whole(damping: Damping, rate: Tensor, dt: float) -> Kick:
    """Return a kick that stands alone: an opening and a closing one of half the length, by the same acceleration."""
    return damping.opening(rate, dt / 2).then(damping.closing(rate, dt / 2))
