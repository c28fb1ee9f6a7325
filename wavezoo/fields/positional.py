"""A learned map over the grid."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from wavezoo.contracts import ParameterField
from wavezoo.errors import WavezooError
from wavezoo.layers import inverse_softplus


class PositionalField(ParameterField):
    """A learned map over the grid, resampled to whatever grid it meets: a medium with a place for everything.

    Equation: ``c(i) = softplus(w(i))``, w a map of ``resolution`` cells per axis, interpolated linearly.

    Args:
        initial: the value of a fresh field; in cells / time for a speed, 1 / time for a damping.
        resolution: cells of the map along each axis.

    Raises:
        WavezooError: if ``resolution`` is less than 1.
    """

    depends_on_input = False
    depends_on_position = True

    def __init__(self, channels: int, ndim: int, *, initial: float, resolution: int = 16) -> None:
        super().__init__(channels, ndim, initial=initial)
        if resolution < 1:
            raise WavezooError(f"resolution is {resolution!r}; give a number of cells, at least 1.")
        self.weight = nn.Parameter(torch.full((1, channels, *[resolution] * ndim), inverse_softplus(initial)))

    def forward(self, x: Tensor) -> Tensor:
        mode = "linear" if self.ndim == 1 else "bilinear"
        return F.softplus(F.interpolate(self.weight, size=x.shape[2:], mode=mode, align_corners=False))
