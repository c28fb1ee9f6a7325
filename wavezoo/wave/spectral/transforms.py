"""Sine and cosine transforms along every grid axis, by Fourier transforms of mirrored lines.

Shapes: B batch, C channels, ``*G`` grid.
"""

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from wavezoo.wave.scheme import Grid
from wavezoo.wave.spectral.tables import counted, rounded


def grid_axes(u: Tensor) -> tuple[int, ...]:
    """Return the numbers of the grid axes of ``u``, ``(B, C, *G)``."""
    return tuple(range(2, u.ndim))


def fourier_multiplied(u: Tensor, symbol: Tensor) -> Tensor:
    """Multiply the Fourier modes of ``u`` by a real ``symbol`` on its half spectrum."""
    axes = grid_axes(u)
    # In place: fresh memory for the product would cost more than the product.
    return torch.fft.irfftn(torch.fft.rfftn(u, dim=axes).mul_(symbol), s=u.shape[2:], dim=axes)


def cosine_multiplied(u: Tensor, symbol: Tensor, *tables: Tensor) -> Tensor:
    """Multiply the cosine modes of ``u`` by a ``symbol``."""
    return inverse_cosine_transform(cosine_transform(u, tables) * symbol, tables)


def sine_multiplied(u: Tensor, symbol: Tensor) -> Tensor:
    """Multiply the sine modes of ``u`` by a ``symbol``."""
    return sine_transform(sine_transform(u) * symbol)


def cosine_tables(grid: Grid, like: Tensor) -> list[Tensor]:
    """Return what `cosine_transform` needs to know of each axis, ``(4, N)``.

    Cosine and sine of ``pi m / 2N``, the half cell between the first cell and the wall, times the scale that makes the
    transform orthogonal, and divided by it for the way back.
    """
    tables = []
    for size in grid:
        m = counted(size, like)
        angles = m.double() * (math.pi / (2 * size))
        scale = ((1 + (m > 0)).double() / (4 * size)).sqrt()
        turns = torch.stack([angles.cos(), angles.sin()])
        tables.append(rounded(torch.cat([turns * scale, turns / scale]), like))
    return tables


def cosine_transform(u: Tensor, tables: Sequence[Tensor]) -> Tensor:
    """Return the orthogonal DCT-II over all grid axes, by a Fourier transform of each line and its mirror image."""
    return _along_axes(u, _cosine_line, tables)


def inverse_cosine_transform(modes: Tensor, tables: Sequence[Tensor]) -> Tensor:
    """Undo `cosine_transform`."""
    return _along_axes(modes, _inverse_cosine_line, tables)


def sine_transform(u: Tensor) -> Tensor:
    """Return the orthogonal DST-I over all grid axes, its own inverse, by a transform of each line and its negative."""
    return _along_axes(u, _sine_line, [None] * (u.ndim - 2))


def _along_axes(u: Tensor, function: Callable[..., Tensor], tables: Sequence[Tensor | None]) -> Tensor:
    """Apply a function of the last axis and a table along every grid axis."""
    u = function(u, tables[-1])
    for axis, table in zip(range(2, u.ndim - 1), tables, strict=False):
        u = function(u.transpose(axis, -1), table).transpose(axis, -1)
    return u


def _cosine_line(u: Tensor, table: Tensor) -> Tensor:
    mirrored = torch.fft.rfft(torch.cat([u, u.flip(-1)], -1))[..., : u.shape[-1]]
    return mirrored.real * table[0] + mirrored.imag * table[1]


def _inverse_cosine_line(modes: Tensor, table: Tensor) -> Tensor:
    size = modes.shape[-1]
    # Padded before they are one, since ONNX cannot pad complex numbers.
    spectrum = torch.complex(*(F.pad(modes * part, (0, 1)) for part in (table[2], table[3])))
    # The mirrored line has nothing at its Nyquist frequency.
    return torch.fft.irfft(spectrum, n=2 * size)[..., :size]


def _sine_line(u: Tensor, _: None) -> Tensor:
    size = u.shape[-1]
    zero = torch.zeros_like(u[..., :1])
    mirrored = torch.fft.rfft(torch.cat([zero, u, zero, -u.flip(-1)], -1))
    return mirrored.imag[..., 1 : size + 1] * -((1 / (2 * (size + 1))) ** 0.5)
