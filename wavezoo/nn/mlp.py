"""A perceptron at every position."""

from torch import Tensor, nn

from wavezoo.wave.convolution import conv, convolved


class Mlp(nn.Module):
    """Two 1x1 convolutions with a GELU between them.

    Args:
        channels: number of channels C in and out.
        ndim: number of grid axes.
        hidden: number of channels between them.
    """

    def __init__(self, channels: int, ndim: int, hidden: int) -> None:
        super().__init__()
        self.fc1 = conv(ndim)(channels, hidden, 1)
        self.fc2 = conv(ndim)(hidden, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        return convolved(self.fc2, "gelu", self.fc1(x))
