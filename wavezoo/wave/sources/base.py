"""The contract of sources.

Shapes: B batch, C channels, ``*G`` grid, ``(N,)`` or ``(H, W)``; channels first. The grid spacing is one cell; times
are in whatever unit ``dt`` is in, speeds in cells per that unit, damping in its inverse.
"""

from abc import ABC, abstractmethod

from torch import Tensor, nn

from wavezoo.wave.scheme import Scheme


class Source(Scheme, nn.Module, ABC):
    """A force that depends on the displacement alone: ``u_tt = c² ∇²u - gamma u_t + force(u)``.

    Args:
        channels: number of channels C.
        ndim: number of grid axes.

    Attributes:
        exerts_force: whether there is a force at all.
        linear: whether the force is ``-stiffness * u``.
        bounded_stiffness: whether `stiffness` is finite: without a bound the Courant guard can promise nothing.
    """

    exerts_force: bool
    linear: bool
    bounded_stiffness: bool

    def __init__(self, channels: int, ndim: int) -> None:
        super().__init__()
        self.channels = channels
        self.ndim = ndim

    @abstractmethod
    def force(self, u: Tensor) -> Tensor:
        """Return the force at displacement ``u`` of shape ``(B, C, *G)``, in displacement / time²."""

    @abstractmethod
    def potential(self, u: Tensor) -> Tensor:
        """Return the potential, not negative, of which the force is minus the derivative; zero at zero."""

    @abstractmethod
    def stiffness(self, u: Tensor) -> Tensor:
        """Return the largest ``|d force / d u|`` up to the amplitude of ``u``, in 1 / time², broadcastable to it.

        The same for every ``u`` where ``bounded_stiffness`` is declared.
        """
