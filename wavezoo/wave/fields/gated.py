"""A 1x1 convolution of the input, times a gate that can close."""

import math

import torch
from torch import Tensor, nn

from wavezoo.wave.convolution import conv
from wavezoo.wave.fields.base import ParameterField


class GatedField(ParameterField):
    """A 1x1 convolution of the layer's input and a softplus, times a gate for all channels: a medium with walls.

    Equation: ``c(x) = softplus(W x + b) · min(max(1 + a·x, 0), 1)``. Where the gate is closed the value is
    zero exactly: as a speed, no wave gets in or through.

    Args:
        initial: the value of a fresh field where its input is zero; in cells / time for a speed, 1 / time for a
            damping.
        maximum: a bound on the values, by a sigmoid in place of the softplus; None for no bound.
    """

    depends_on_input = True
    depends_on_position = False
    causal = True
    varies_in_space = True
    variants = ({"maximum": 4.0},)

    def __init__(self, channels: int, ndim: int, *, initial: float, maximum: float | None = None) -> None:
        super().__init__(channels, ndim, initial=initial, maximum=maximum)
        self.conv = conv(ndim)(channels, channels, 1)
        self.gate = conv(ndim)(channels, 1, 1, bias=False)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        nn.init.normal_(self.conv.weight, std=0.5 / math.sqrt(self.channels))
        nn.init.constant_(self.conv.bias, self.unlinked(self.initial))  # type: ignore[arg-type]
        # No gate of a fresh field is closed by inputs of size 1.
        nn.init.normal_(self.gate.weight, std=0.1 / math.sqrt(self.channels))

    def forward(self, x: Tensor) -> Tensor:
        return self.link(self.conv(x)) * torch.clamp(1 + self.gate(x), 0, 1)
