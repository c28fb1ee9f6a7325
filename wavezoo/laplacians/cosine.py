"""The Laplacian between reflecting walls."""

import math
from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

from wavezoo.contracts import Grid, Laplacian
from wavezoo.separable import check_method, sum_along_axes, sum_of_products, uses_matmul


class CosineLaplacian(Laplacian):
    """Multiplication by ``-|k|²`` in cosine space: waves bounce off the edges instead of coming in on the other side.

    Equation: ``L u = C⁻¹ (-|k|² C u)`` with the discrete cosine transform C of type II, ``k = pi m / N`` in 1 / cell.
    Boundary: reflecting, with the wall half a cell beyond the last cell (Neumann). Order: spectral. Spectral radius:
    ``(pi (N - 1) / N)²`` per axis.

    By transform, it is the periodic second derivative of the line and its mirror image, axis by axis.

    Args:
        method: ``"fft"``, ``"matmul"``, or ``"auto"`` to choose by the size of the grid.

    Raises:
        WavezooError: if ``method`` is none of these.
    """

    ndims = (1, 2)
    boundary = "reflecting"
    causal = False
    self_adjoint = True
    order = math.inf
    variants = ({"method": "fft"}, {"method": "matmul"})

    def __init__(self, channels: int, ndim: int, *, method: str = "auto") -> None:
        super().__init__(channels, ndim)
        check_method(method)
        self.method = method

    def bind(self, u: Tensor) -> Callable[[Tensor], Tensor]:
        if uses_matmul(self.method, u.shape[2:]):
            matrices = [_matrix(size, u) for size in u.shape[2:]]
            return lambda u: sum_of_products(u, matrices)
        symbols = [-_wave_numbers(size + 1, size, u).square() for size in u.shape[2:]]
        functions = [partial(_second_derivative, symbol=symbol) for symbol in symbols]
        return lambda u: sum_along_axes(u, functions)

    def spectral_radius(self, grid: Grid) -> float:
        return sum((math.pi * (size - 1) / size) ** 2 for size in grid)

    def extra_repr(self) -> str:
        return f"method={self.method!r}"


def _wave_numbers(count: int, size: int, like: Tensor) -> Tensor:
    """Return the first ``count`` wave numbers of an axis of ``size`` cells, in 1 / cell."""
    return torch.arange(count, device=like.device).to(like.dtype) * (math.pi / size)


def _second_derivative(u: Tensor, symbol: Tensor) -> Tensor:
    """Return the second derivative along the last axis, by a Fourier transform of twice its length."""
    size = u.shape[-1]
    mirrored = torch.cat([u, u.flip(-1)], -1)
    return torch.fft.irfft(torch.fft.rfft(mirrored) * symbol, n=2 * size)[..., :size]


def _matrix(size: int, like: Tensor) -> Tensor:
    """Return the second derivative on ``size`` cells as a symmetric matrix."""
    index = torch.arange(size, device=like.device)
    # Products reduced as integers first: the cosine of a large argument would lose digits.
    angles = ((2 * index[:, None] + 1) * index % (4 * size)).to(like.dtype) * (math.pi / (2 * size))
    cosines = angles.cos()
    return (cosines * -_wave_numbers(size, size, like).square()) @ cosines.T * (2 / size)
