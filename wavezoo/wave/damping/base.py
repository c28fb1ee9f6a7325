"""The contract of damping schemes.

Shapes: B batch, C channels, ``*G`` grid, ``(N,)`` or ``(H, W)``; channels first. The grid spacing is one cell; times
are in whatever unit ``dt`` is in, speeds in cells per that unit, damping in its inverse.
"""

from abc import ABC, abstractmethod
from typing import NamedTuple

from torch import Tensor

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
        exact_decay: whether a kick without acceleration is the exact solution of the equation.
        in_modes: whether it acts on every mode of the Laplacian by itself; its gamma is then ``gamma |eigenvalue|``.
    """

    order: float
    gamma_dt_limit: float
    stability_factor: float
    reversible: bool
    uses_gamma: bool
    exact_decay: bool = False
    in_modes: bool = False

    @abstractmethod
    def opening(self, gamma: Tensor, dt: float) -> Kick:
        """Return the coefficients of a kick of length ``dt`` in the first half of a step."""

    @abstractmethod
    def closing(self, gamma: Tensor, dt: float) -> Kick:
        """Return the coefficients of a kick of length ``dt`` in the second half of a step."""

    @abstractmethod
    def rate(self, gamma: Tensor) -> Tensor:
        """Return the rate at which damping takes velocity away, for integrators that do not split, in 1 / time."""
