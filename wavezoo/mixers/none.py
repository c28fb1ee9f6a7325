"""No mixer."""

from torch import Tensor

from wavezoo.mixers.base import Mixer


class NoMixer(Mixer):
    """What comes in: no mixing of positions beyond the small depthwise convolution of the block.

    Args:
        causal: let no position depend on later ones, which holds anyway.
    """

    causality = "always"
    projects = False

    def forward(self, x: Tensor) -> Tensor:
        return x
