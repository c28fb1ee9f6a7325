"""Norms over any number of grid axes, channels first."""

from collections.abc import Callable

from torch import Tensor, nn

from wavezoo.errors import require_choice

NORMS = ("layer", "batch")


class ChannelNorm(nn.LayerNorm):
    """Layer normalisation over the channels of ``(B, C, *G)``, at every position by itself."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.movedim(1, -1)).movedim(-1, 1)


def norm_layer(norm: str, ndim: int) -> Callable[[int], nn.Module]:
    """Return what builds a norm of ``(B, C, *G)`` from the number of channels.

    Args:
        norm: ``"layer"``, over the channels of each position, or ``"batch"``, of each channel over batch and positions.
        ndim: number of grid axes.

    Raises:
        WavezooError: if there is no such norm.
    """
    require_choice("norm", norm, NORMS)
    if norm == "layer":
        return ChannelNorm
    return nn.BatchNorm1d if ndim == 1 else nn.BatchNorm2d
