"""The contract of mixers.

Shapes: B batch, C channels, ``*G`` grid, ``(N,)`` or ``(H, W)``; channels first.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence

from torch import Tensor, nn

from wavezoo.errors import UnmetRequirement, WavezooError, not_allowed
from wavezoo.wave.scheme import Scheme


class Mixer(Scheme, nn.Module, ABC):
    """What mixes the positions of a grid: the first half of a block.

    Args:
        channels: number of channels C.
        ndim: number of grid axes.
        causal: let no position depend on later ones; sequences only.

    Raises:
        WavezooError: if it knows no grids of so many axes, or if it is asked to be causal and cannot be.

    Attributes:
        ndims: the numbers of grid axes that it can mix.
        causality: whether a position depends on positions up to its own only: ``"always"``, ``"optional"``,
            ``"never"``, or ``"operator"`` where that is up to a wave operator's schemes.
        projects: whether it ends in a projection of its channels; the block gives others a gate and a projection.
        local_taps: how many positions wide a depthwise convolution a block puts in front of it, which tells left from
            right, where the mixer does not; 0 for none.
    """

    ndims: Sequence[int] = (1, 2)
    causality: str
    projects: bool
    local_taps: int = 3

    def __init__(self, channels: int, ndim: int, *, causal: bool = False) -> None:
        super().__init__()
        if ndim not in self.ndims:
            raise not_allowed(f"number of grid axes of {type(self).__name__}", ndim, self.ndims)
        if causal and ndim != 1:
            raise WavezooError(f"causal=True on {ndim} grid axes: an image has no order of time. Use causal=False.")
        if causal and self.causality == "never":
            raise UnmetRequirement(
                f"{type(self).__name__} is not causal: every position sees later ones, so that a next-token loss would "
                "leak. Use causal=False for inputs that are known as a whole, or a mixer that can be causal.",
                "mixers",
                "causality",
                "optional",
            )
        self.channels = channels
        self.ndim = ndim
        self.causal = causal or self.causality == "always"

    @abstractmethod
    def forward(self, x: Tensor) -> Tensor:
        """Map ``x`` of shape ``(B, C, *G)`` to the same shape."""
