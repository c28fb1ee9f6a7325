"""The contract of potentials.

Shapes: B batch, C channels, ``*G`` grid, ``(N,)`` or ``(H, W)``; channels first. The grid spacing is one cell; times
are in whatever unit ``dt`` is in, speeds in cells per that unit, damping in its inverse.
"""

from abc import ABC, abstractmethod

from torch import Tensor, nn

from wavezoo.errors import require_whole
from wavezoo.wave.scheme import Scheme


class Potential(Scheme, nn.Module, ABC):
    """A potential energy at every cell, whose force, minus its derivative in the displacement, acts on the wave.

    The equation becomes ``u_tt = c² ∇²u - gamma u_t + force(u)``. The force depends on the displacement at its own cell
    and, if wished, on the position; not on the velocity, on time or on other cells. The energy may be negative, as that
    of a double well is.

    Args:
        channels: number of channels C.
        ndim: number of grid axes.

    Attributes:
        quadratic: whether the force is ``-stiffness * u``, with a stiffness that is the same everywhere in space.
        bounded_stiffness: whether `stiffness` is finite: without a bound the Courant guard can promise nothing.
    """

    quadratic: bool
    bounded_stiffness: bool
    causal: bool = True

    def __init__(self, channels: int, ndim: int) -> None:
        super().__init__()
        self.channels = require_whole("channels", channels)
        self.ndim = ndim

    @abstractmethod
    def force(self, u: Tensor) -> Tensor:
        """Return the force at displacement ``u`` of shape ``(B, C, *G)``, in displacement / time²."""

    @abstractmethod
    def energy(self, u: Tensor) -> Tensor:
        """Return the potential energy, of which the force is minus the derivative; zero at zero, shape of ``u``."""

    @abstractmethod
    def stiffness(self, u: Tensor) -> Tensor:
        """Return the largest ``|d force / d u|`` up to the amplitude of ``u``, in 1 / time², broadcastable to it.

        The same for every ``u`` where ``bounded_stiffness`` is declared.
        """
