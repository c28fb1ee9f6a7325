"""Convolutions over any number of grid axes, channels first."""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from wavezoo.errors import WavezooError, require_positive
from wavezoo.wave.layout import channels_last
from wavezoo.wave.pointwise import ACTIVATIONS, pointwise

WIDEST_SPACING = 256


class Conv1d(nn.Conv1d):
    """torch's, with those of width 1 as a matrix product, which takes a third of the time on a CPU."""

    def forward(self, x: Tensor, *others: Tensor, activation: str | None = None) -> Tensor:
        """Map ``(B, C, N)``, or an activation of several such tensors, to ``(B, C', N')``."""
        if not _is_pointwise(self):
            return super().forward(_activated(activation, x, *others))
        return pointwise(self.weight, self.bias, None if activation is None else ACTIVATIONS[activation], x, *others)


class Conv2d(nn.Conv2d):
    """torch's, with those of width 1 as a matrix product where channels are last in memory."""

    def forward(self, x: Tensor, *others: Tensor, activation: str | None = None) -> Tensor:
        """Map ``(B, C, H, W)``, or an activation of several such tensors, to ``(B, C', H', W')``."""
        if not (_is_pointwise(self) and channels_last(x)):
            return super().forward(_activated(activation, x, *others))
        return pointwise(self.weight, self.bias, None if activation is None else ACTIVATIONS[activation], x, *others)


def conv(ndim: int) -> type[Conv1d] | type[Conv2d]:
    """Return the convolution over ``ndim`` grid axes."""
    return Conv1d if ndim == 1 else Conv2d


def convolved(layer: nn.Module, activation: str, *inputs: Tensor) -> Tensor:
    """Return a layer's output for an activation of ``inputs``, by its name in `ACTIVATIONS`.

    A convolution of this module, whose hooks see the inputs, keeps those alone for its backward pass.
    """
    if isinstance(layer, Conv1d | Conv2d):
        return layer(*inputs, activation=activation)
    return layer(ACTIVATIONS[activation].function(*inputs))


def _is_pointwise(layer: nn.Conv1d | nn.Conv2d) -> bool:
    return all(size == 1 for size in (*layer.kernel_size, *layer.stride, layer.groups))


def _activated(activation: str | None, *inputs: Tensor) -> Tensor:
    return inputs[0] if activation is None else ACTIVATIONS[activation].function(*inputs)


def check_grid_spacing(spacing: float) -> None:
    """Raise WavezooError unless ``spacing`` lies within bounds that keep the windows of convolutions of a sane size."""
    require_positive("grid spacing", spacing)
    if not 1 / WIDEST_SPACING <= spacing <= WIDEST_SPACING:
        raise WavezooError(f"grid spacing is {spacing!r}; give one between 1/{WIDEST_SPACING} and {WIDEST_SPACING}.")


class GridConv(nn.Module):
    """A convolution whose taps keep their distance in units of the image, or of the sequence, when the grid changes.

    Maps ``(B, C, *G)`` to ``(B, C', ceil(*G / stride))``; beyond the edges the input is zero. On a finer grid the taps
    lie further apart (an "algorithme à trous", Holschneider et al. 1990); between cells the input is interpolated
    linearly.

    Args:
        in_channels: C.
        out_channels: C'.
        ndim: number of grid axes.
        kernel_size: number of taps along each axis, odd unless ``causal``.
        stride: distance of the output's cells.
        groups: as torch's.
        bias: as torch's.
        causal: end the window at each position instead of centring it there; sequences only.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        ndim: int,
        kernel_size: int,
        stride: int = 1,
        groups: int = 1,
        bias: bool = True,
        causal: bool = False,
    ) -> None:
        super().__init__()
        self.ndim = ndim
        last = 0 if causal else kernel_size // 2
        self.offsets = range(last + 1 - kernel_size, last + 1)
        self.grid_spacing = 1.0
        # Where the window is not centred, the input is padded before.
        self._symmetric = self.offsets[0] == -last
        padding = last if self._symmetric else 0
        self.conv = conv(ndim)(in_channels, out_channels, kernel_size, stride, padding, groups=groups, bias=bias)

    def set_grid_spacing(self, spacing: float) -> None:
        """Say how far apart two cells are, in units of that in training.

        Raises:
            WavezooError: unless it lies between 1/256 and 256.
        """
        check_grid_spacing(spacing)
        self.grid_spacing = float(spacing)

    def forward(self, x: Tensor) -> Tensor:
        if self.grid_spacing != 1:
            return self._resampled(x)
        # The module itself, so that what is hooked to it, or put in its place, takes part.
        return self.conv(x if self._symmetric else F.pad(x, (-self.offsets[0], self.offsets[-1]) * self.ndim))

    def _resampled(self, x: Tensor) -> Tensor:
        offsets = [offset / self.grid_spacing for offset in self.offsets]
        # The tolerance keeps rounding of the spacing from adding an empty tap.
        first, last = math.floor(min(offsets) + 1e-6), math.ceil(max(offsets) - 1e-6)
        taps = [[max(0.0, 1 - abs(cell - offset)) for offset in offsets] for cell in range(first, last + 1)]
        weight = self.conv.weight
        matrix = torch.tensor(taps, dtype=weight.dtype, device=weight.device)
        weight = weight @ matrix.T if self.ndim == 1 else matrix @ weight @ matrix.T
        convolve = F.conv1d if self.ndim == 1 else F.conv2d
        padding: int | tuple[int, ...] = last
        if first != -last:
            x, padding = F.pad(x, (-first, last) * self.ndim), 0
        return convolve(x, weight, self.conv.bias, self.conv.stride, padding, 1, self.conv.groups)
