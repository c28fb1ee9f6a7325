"""A learned map over the grid."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from wavezoo.errors import WavezooError
from wavezoo.wave.fields.base import ParameterField


class PositionalField(ParameterField):
    """A learned map over the grid, resampled to whatever grid it meets: a medium with a place for everything.

    Equation: ``c(i) = softplus(w(i))``, w a map of ``resolution`` cells per axis, interpolated linearly.

    Args:
        initial: the value of a fresh field; in cells / time for a speed, 1 / time for a damping.
        maximum: a bound on the values, by a sigmoid in place of the softplus; None for no bound.
        resolution: cells of the map along each axis.

    Raises:
        WavezooError: if ``resolution`` is less than 1.
    """

    depends_on_input = False
    depends_on_position = True
    causal = True
    varies_in_space = True
    variants = ({"maximum": 4.0},)

    def __init__(
        self, channels: int, ndim: int, *, initial: float, maximum: float | None = None, resolution: int = 16
    ) -> None:
        super().__init__(channels, ndim, initial=initial, maximum=maximum)
        if resolution < 1:
            raise WavezooError(f"resolution is {resolution!r}; give a number of cells, at least 1.")
        self.weight = nn.Parameter(torch.empty(1, channels, *[resolution] * ndim))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        nn.init.constant_(self.weight, self.unlinked(self.initial))

    def forward(self, x: Tensor) -> Tensor:
        mode = "linear" if self.ndim == 1 else "bilinear"
        return self.link(F.interpolate(self.weight, size=x.shape[2:], mode=mode, align_corners=False))
