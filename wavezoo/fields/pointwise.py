"""A 1x1 convolution of the input."""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from wavezoo.contracts import ParameterField
from wavezoo.layers import conv, inverse_softplus


class PointwiseField(ParameterField):
    """A 1x1 convolution of the layer's input and a softplus, as published.

    Equation (Wave-PDE Nets, Vejendla 2025, equation 1): ``c(x) = softplus(W x + b)``.

    Args:
        initial: the value of a fresh field where its input is zero; in cells / time for a speed, 1 / time for a
            damping.
    """

    depends_on_input = True
    depends_on_position = False

    def __init__(self, channels: int, ndim: int, *, initial: float) -> None:
        super().__init__(channels, ndim, initial=initial)
        self.conv = conv(ndim)(channels, channels, 1)
        nn.init.normal_(self.conv.weight, std=0.5 / math.sqrt(channels))
        self.conv.bias = nn.Parameter(torch.full((channels,), inverse_softplus(initial)))

    def forward(self, x: Tensor) -> Tensor:
        return F.softplus(self.conv(x))
