"""Small layers that work over any number of grid axes, channels first."""

import math

from torch import Tensor, nn


def inverse_softplus(value: float) -> float:
    """Return the x at which ``log(1 + exp(x))`` is ``value``."""
    return value + math.log(-math.expm1(-value))


def conv(ndim: int) -> type[nn.Conv1d] | type[nn.Conv2d]:
    """Return torch's convolution over ``ndim`` grid axes."""
    return nn.Conv1d if ndim == 1 else nn.Conv2d


class ChannelNorm(nn.LayerNorm):
    """Layer normalisation over the channels of ``(B, C, *G)``, at every position by itself."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.movedim(1, -1)).movedim(-1, 1)


class Mlp(nn.Module):
    """Two 1x1 convolutions with a GELU between them.

    Args:
        channels: number of channels C in and out.
        ndim: number of grid axes.
        ratio: hidden channels as a multiple of C.
    """

    def __init__(self, channels: int, ndim: int, ratio: float = 4.0) -> None:
        super().__init__()
        hidden = int(channels * ratio)
        self.fc1 = conv(ndim)(channels, hidden, 1)
        self.act = nn.GELU()
        self.fc2 = conv(ndim)(hidden, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc2(self.act(self.fc1(x)))
