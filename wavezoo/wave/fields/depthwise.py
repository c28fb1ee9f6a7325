"""A depthwise convolution of the input, then a 1x1 convolution."""

import math

from torch import Tensor, nn

from wavezoo.errors import WavezooError
from wavezoo.wave.convolution import GridConv, conv
from wavezoo.wave.fields.base import ParameterField


class DepthwiseField(ParameterField):
    """A depthwise convolution of the layer's input, a 1x1 convolution and a softplus: the medium sees neighbours.

    Equation: ``c(x) = softplus(W (k * x) + b)``, k one small kernel per channel.

    Args:
        initial: the value of a fresh field where its input is zero; in cells / time for a speed, 1 / time for a
            damping.
        maximum: a bound on the values, by a sigmoid in place of the softplus; None for no bound.
        kernel_size: width of the kernels, odd, in cells of the grid in training; beyond the edges the input counts as
            zero.

    Raises:
        WavezooError: if ``kernel_size`` is not odd and positive.
    """

    depends_on_input = True
    depends_on_position = False
    causal = False
    varies_in_space = True
    variants = ({"maximum": 4.0},)

    def __init__(
        self, channels: int, ndim: int, *, initial: float, maximum: float | None = None, kernel_size: int = 3
    ) -> None:
        super().__init__(channels, ndim, initial=initial, maximum=maximum)
        if kernel_size < 1 or kernel_size % 2 == 0:
            raise WavezooError(f"kernel_size is {kernel_size!r}; give an odd number of cells, such as 3.")
        self.local = GridConv(channels, channels, ndim, kernel_size, groups=channels, bias=False)
        self.conv = conv(ndim)(channels, channels, 1)
        self.reset_parameters()

    def set_grid_spacing(self, spacing: float) -> None:
        self.local.set_grid_spacing(spacing)

    def reset_parameters(self) -> None:
        nn.init.normal_(self.conv.weight, std=0.5 / math.sqrt(self.channels))
        nn.init.constant_(self.conv.bias, self.unlinked(self.initial))  # type: ignore[arg-type]

    def forward(self, x: Tensor) -> Tensor:
        return self.link(self.conv(self.local(x)))
