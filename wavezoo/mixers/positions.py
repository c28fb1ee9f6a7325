"""How attention tells positions apart.

Shapes: B batch, C channels, H heads, D channels of a head, N positions; ``*G`` grid, ``(N,)`` or ``(H, W)``.
"""

import torch
from torch import Tensor, nn

from wavezoo.errors import WavezooError
from wavezoo.wave.scheme import Grid

# The slowest pair of channels turns once in 2π times as many positions; published for sequences and for images.
BASES = {1: 10_000.0, 2: 100.0}


class RotaryPositions(nn.Module):
    """Rotary position embedding: queries and keys turn with their position, and products depend on distances alone.

    Source: RoFormer (Su et al. 2021, equation 34), pairs of channels half a head apart; on images half of the pairs
    turn with the row and half with the column (axial, Heo et al. 2024).

    Args:
        head_channels: D, a multiple of twice the number of axes.
        ndim: number of grid axes.

    Raises:
        WavezooError: if D is no such multiple.
    """

    def __init__(self, head_channels: int, ndim: int) -> None:
        super().__init__()
        if head_channels % (2 * ndim):
            raise WavezooError(
                f'positions="rotary" needs heads of a multiple of {2 * ndim} channels, and these have {head_channels}. '
                "Give other heads, or channels."
            )
        self.head_channels = head_channels
        self.ndim = ndim
        self.grid_spacing = 1.0

    def set_grid_spacing(self, spacing: float) -> None:
        """Say how far apart two positions are, in units of that in training."""
        self.grid_spacing = float(spacing)

    def forward(self, x: Tensor, grid: Grid, start: int = 0) -> Tensor:
        """Turn queries or keys ``(B, H, N, D)`` at the positions of ``grid``, the first of a sequence at ``start``."""
        pairs = self.head_channels // (2 * self.ndim)
        numbers = torch.arange(pairs, device=x.device, dtype=torch.float64)
        frequencies = self.grid_spacing * BASES[self.ndim] ** (-numbers / pairs)
        places = [torch.arange(start, start + size, device=x.device, dtype=torch.float64) for size in grid]
        axes = [place.reshape(-1) for place in torch.meshgrid(*places, indexing="ij")]
        # Angles of thousands of turns would lose their fraction in float32.
        angles = torch.cat([place[:, None] * frequencies for place in axes], -1)
        cosine, sine = angles.cos().to(x.dtype), angles.sin().to(x.dtype)
        first, second = x.chunk(2, -1)
        return torch.cat([first * cosine - second * sine, first * sine + second * cosine], -1)


class LearnedPositions(nn.Module):
    """A learned vector for every position along each axis, added to the input.

    Args:
        channels: number of channels C.
        ndim: number of grid axes.
        length: the most positions along an axis.
    """

    def __init__(self, channels: int, ndim: int, length: int) -> None:
        super().__init__()
        self.length = length
        self.weight = nn.Parameter(torch.empty(ndim, channels, length))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        nn.init.normal_(self.weight, std=0.02)

    def forward(self, x: Tensor, start: int = 0) -> Tensor:
        """Add them to ``x`` of shape ``(B, C, *G)``, whose first position is ``start``.

        Raises:
            WavezooError: if there are more positions than vectors.
        """
        grid = x.shape[2:]
        if start + max(grid) > self.length:
            raise WavezooError(
                f"a grid of {' x '.join(str(start + size) for size in grid)} positions is larger than length="
                f"{self.length}, up to which attention has learned positions. Build it with a greater length, or use "
                'positions="rotary".'
            )
        for axis, (weight, size) in enumerate(zip(self.weight, grid, strict=True)):
            shape = [-1, *(size if other == axis else 1 for other in range(len(grid)))]
            x = x + weight[:, start : start + size].reshape(shape)
        return x
