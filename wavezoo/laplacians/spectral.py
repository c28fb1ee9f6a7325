"""The spectral Laplacian."""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from wavezoo.contracts import Grid, Laplacian
from wavezoo.separable import check_method, sum_of_products, uses_matmul


class SpectralLaplacian(Laplacian):
    """Multiplication by ``-|k|²`` in Fourier space: exact for every wave that the grid can carry.

    Equation: ``L u = irfft(-|k|² rfft(u))`` (Wave-PDE Nets, Vejendla 2025, spectral Laplacian), ``k`` in 1 / cell.
    Boundary: periodic. Order: spectral. Spectral radius: pi² per axis on an even grid, slightly less on an odd one.

    The same operator is, per axis, the real symmetric circulant matrix ``D = F⁻¹ diag(-k²) F``; on small grids the
    product ``u D_x + D_y u`` is faster, and it has no complex numbers.

    Args:
        method: ``"fft"``, ``"matmul"``, or ``"auto"`` to choose by the size of the grid.

    Raises:
        WavezooError: if ``method`` is none of these.
    """

    ndims = (1, 2)
    boundary = "periodic"
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
            matrices = [_second_derivative(size, u) for size in u.shape[2:]]
            return lambda u: sum_of_products(u, matrices)
        symbol, axes = _symbol(u), tuple(range(2, u.ndim))
        return lambda u: torch.fft.irfftn(torch.fft.rfftn(u, dim=axes) * symbol, s=u.shape[2:], dim=axes)

    def spectral_radius(self, grid: Grid) -> float:
        return sum((2 * math.pi * (size // 2) / size) ** 2 for size in grid)

    def extra_repr(self) -> str:
        return f"method={self.method!r}"


def _wave_numbers(size: int, like: Tensor) -> Tensor:
    """Return the absolute wave numbers of an axis in FFT order, in 1 / cell, shape ``(size,)``."""
    # An arange, because a graph compiled with fftfreq would be tied to the size.
    m = torch.arange(size, device=like.device)
    return torch.minimum(m, size - m).to(like.dtype) * (2 * math.pi / size)


def _symbol(u: Tensor) -> Tensor:
    """Return ``-|k|²`` on the half spectrum of a real transform over the grid of ``u``."""
    *full_axes, last = u.shape[2:]
    total = _wave_numbers(last, u)[: last // 2 + 1].square()
    for size in full_axes:
        total = _wave_numbers(size, u).square()[:, None] + total
    return -total


def _second_derivative(size: int, like: Tensor) -> Tensor:
    """Return the circulant matrix ``F⁻¹ diag(-k²) F``, shape ``(size, size)``, from cosines alone."""
    index = torch.arange(size, device=like.device)
    # Products reduced as integers first: the cosine of a large argument would lose digits.
    angles = (index[:, None] * index % size).to(like.dtype) * (2 * math.pi / size)
    first_row = -(angles.cos() @ _wave_numbers(size, like).square()) / size
    return first_row[(index[:, None] - index) % size]
