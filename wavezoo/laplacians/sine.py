"""The Laplacian with the field held at zero beyond the edges."""

import math
from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

from wavezoo.contracts import Grid, Laplacian
from wavezoo.separable import check_method, sum_along_axes, sum_of_products, uses_matmul


class SineLaplacian(Laplacian):
    """Multiplication by ``-|k|²`` in sine space: waves bounce off edges that hold them at zero, and change their sign.

    Equation: ``L u = S⁻¹ (-|k|² S u)`` with the discrete sine transform S of type I, ``k = pi m / (N + 1)``.
    Boundary: zero, one cell beyond the last cell (Dirichlet). Order: spectral. Spectral radius:
    ``(pi N / (N + 1))²`` per axis.

    By transform, it is the periodic second derivative of the line and its negative mirror image, axis by axis.

    Args:
        method: ``"fft"``, ``"matmul"``, or ``"auto"`` to choose by the size of the grid.

    Raises:
        WavezooError: if ``method`` is none of these.
    """

    ndims = (1, 2)
    boundary = "zero"
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
        symbols = [-_wave_numbers(0, size + 2, size, u).square() for size in u.shape[2:]]
        functions = [partial(_second_derivative, symbol=symbol) for symbol in symbols]
        return lambda u: sum_along_axes(u, functions)

    def spectral_radius(self, grid: Grid) -> float:
        return sum((math.pi * size / (size + 1)) ** 2 for size in grid)

    def extra_repr(self) -> str:
        return f"method={self.method!r}"


def _wave_numbers(first: int, count: int, size: int, like: Tensor) -> Tensor:
    """Return ``count`` wave numbers of an axis of ``size`` cells from number ``first`` on, in 1 / cell."""
    return torch.arange(first, first + count, device=like.device).to(like.dtype) * (math.pi / (size + 1))


def _second_derivative(u: Tensor, symbol: Tensor) -> Tensor:
    """Return the second derivative along the last axis, by a Fourier transform of twice its length and two."""
    size = u.shape[-1]
    zero = torch.zeros_like(u[..., :1])
    mirrored = torch.cat([zero, u, zero, -u.flip(-1)], -1)
    return torch.fft.irfft(torch.fft.rfft(mirrored) * symbol, n=2 * size + 2)[..., 1 : size + 1]


def _matrix(size: int, like: Tensor) -> Tensor:
    """Return the second derivative on ``size`` cells as a symmetric matrix."""
    number = torch.arange(1, size + 1, device=like.device)
    # Products reduced as integers first: the sine of a large argument would lose digits.
    angles = (number[:, None] * number % (2 * (size + 1))).to(like.dtype) * (math.pi / (size + 1))
    sines = angles.sin()
    return (sines * -_wave_numbers(1, size, size, like).square()) @ sines.T * (2 / (size + 1))
