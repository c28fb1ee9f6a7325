"""A learned filter in Fourier space as a mixer."""

import torch
from torch import Tensor, nn

from wavezoo.errors import WavezooError
from wavezoo.mixers.base import Mixer
from wavezoo.wave.scheme import Grid


class GlobalFilterMixer(Mixer):
    """A learned filter in Fourier space, one complex number for each channel and mode: a convolution with the grid.

    Equation (GFNet, Rao et al. 2021, equation 4): ``irfft(K * rfft(x))``. The filter belongs to a grid of
    ``resolution`` cells a side and is interpolated linearly on others, in frequency in cycles per cell: what it does to
    a constant stays, and an even filter stays even. Boundary: periodic. Reach: the
    whole grid. Cost: ``N log N`` in the number of cells.

    Args:
        causal: not possible; every position sees all others.
        resolution: cells along each axis of the grid that the filter belongs to.

    Raises:
        WavezooError: if ``resolution`` is less than 2, or ``causal`` is asked for.
    """

    causality = "never"
    projects = False
    variants = ({"resolution": 5},)

    def __init__(self, channels: int, ndim: int, *, causal: bool = False, resolution: int = 14) -> None:
        super().__init__(channels, ndim, causal=causal)
        if resolution < 2:
            raise WavezooError(f"resolution is {resolution!r}; give a number of cells, at least 2.")
        # Real and imaginary part as channels: interpolated like any map, and a cast to bfloat16 keeps both.
        modes = [resolution] * (ndim - 1) + [resolution // 2 + 1]
        self.weight = nn.Parameter(torch.empty(1, 2 * channels, *modes))
        self.resolution = resolution
        self.reset_parameters()

    def reset_parameters(self) -> None:
        nn.init.normal_(self.weight, std=0.02)

    def forward(self, x: Tensor) -> Tensor:
        axes = tuple(range(2, x.ndim))
        u = x.to(torch.promote_types(x.dtype, torch.float32))
        real, imaginary = self._filter(x.shape[2:], u.dtype).chunk(2, 1)
        modes = torch.view_as_real(torch.fft.rfftn(u, dim=axes))
        filtered = torch.stack(
            [
                modes[..., 0] * real - modes[..., 1] * imaginary,
                modes[..., 0] * imaginary + modes[..., 1] * real,
            ],
            -1,
        )
        return torch.fft.irfftn(torch.view_as_complex(filtered), s=x.shape[2:], dim=axes).to(x.dtype)

    def _filter(self, grid: Grid, dtype: torch.dtype) -> Tensor:
        """Return real and imaginary parts on the modes of ``grid``, shape ``(1, 2 C, *K)``."""
        weight = self.weight.to(dtype)
        for axis, size in enumerate(grid):
            half = axis == len(grid) - 1
            weight = _resampled(weight, 2 + axis, size, self.resolution, half)
        return weight


def _resampled(weight: Tensor, axis: int, size: int, resolution: int, half: bool) -> Tensor:
    """Interpolate a filter along one axis of modes, by frequency in cycles per cell.

    Args:
        weight: on the modes of ``resolution`` cells.
        axis: the axis.
        size: number of cells to give the modes of.
        resolution: number of cells that it has the modes of.
        half: whether the axis holds the frequencies from zero on only.
    """
    if size == resolution:
        return weight
    mode = torch.arange(size // 2 + 1 if half else size, device=weight.device)
    if not half:
        # Frequencies are told apart by their sign: -1 is as far from 0 as 1 is.
        mode = torch.where(mode > (size - 1) // 2, mode - size, mode)
    place = mode.to(weight.dtype) * (resolution / size)
    below = place.floor()
    part = (place - below).view(-1, *[1] * (weight.ndim - 1 - axis))
    first = below.long()
    if half:
        last = resolution // 2
        neighbours = first.clamp(max=last), (first + 1).clamp(max=last)
    else:
        neighbours = first % resolution, (first + 1) % resolution
    start, end = (weight.index_select(axis, each) for each in neighbours)
    return torch.lerp(start, end, part)
