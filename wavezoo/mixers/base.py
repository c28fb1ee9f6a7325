"""The contract of mixers.

Shapes: B batch, C channels, ``*G`` grid, ``(N,)`` or ``(H, W)``; channels first.
"""

from abc import ABC, abstractmethod

from torch import Tensor, nn

from wavezoo.errors import WavezooError
from wavezoo.wave.scheme import Scheme


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
