"""The contract of drifts.

Shapes: B batch, C channels, ``*G`` grid, ``(N,)`` or ``(H, W)``; channels first. The grid spacing is one cell; times
are in whatever unit ``dt`` is in, speeds in cells per that unit, damping in its inverse.
"""

from abc import ABC, abstractmethod

from torch import Tensor, nn

from wavezoo.errors import require_whole
from wavezoo.wave.scheme import Scheme


class Drift(Scheme, nn.Module, ABC):
    """A medium that moves as a whole, at one velocity per channel: what happens at rest, carried along.

    Args:
        channels: number of channels C.
        ndim: number of grid axes.

    Attributes:
        causal: whether what is carried to a position comes from positions up to it only.
    """

    causal: bool = False

    def __init__(self, channels: int, ndim: int) -> None:
        super().__init__()
        self.channels = require_whole("channels", channels)
        self.ndim = ndim

    @abstractmethod
    def carry(self, u: Tensor, time: Tensor) -> Tensor:
        """Return ``u`` of shape ``(B, C, *G)`` carried along for ``time``, a tensor that broadcasts to ``(C,)``."""
