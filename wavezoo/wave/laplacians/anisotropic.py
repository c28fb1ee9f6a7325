"""A Laplacian that prefers directions."""

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn

from wavezoo.errors import WavezooError
from wavezoo.wave.laplacians.by_transform import ByTransform
from wavezoo.wave.scheme import Grid
from wavezoo.wave.spectral.modes import Modes


class AnisotropicLaplacian(ByTransform):
    """Axes of unlike speed, or a whole speed tensor, learned for each channel: waves that prefer directions.

    Equation: ``L u = F⁻¹ (-kᵀ A k F u)`` with a positive definite ``A = [[1 + a, b], [b, 1 - a]]`` for the axes (x, y),
    ``(a, b) = (p, q) / sqrt(1 + p² + q²)``, and b = 0 unless a tensor is asked for. The trace is always 2, that of ∇²:
    direction changes, the mean speed does not. Spectral radius: the largest value of
    the symbol; on a square grid that of ∇² where b = 0, and up to twice that where it is not.

    Args:
        tensor: learn b too; needs periodic boundaries, and goes by transform on every grid.
        boundary: ``"periodic"``, ``"reflecting"`` or ``"zero"``.
        method: ``"fft"``, ``"matmul"``, or ``"auto"`` to choose by the size of the grid.

    Raises:
        WavezooError: if an option is out of range, or if a tensor is asked for with other boundaries or by product.
    """

    ndims = (2,)
    boundary = "periodic"
    causal = False
    self_adjoint = True
    order = math.inf
    variants = (
        {"method": "fft"},
        {"method": "matmul"},
        {"tensor": True},
        {"boundary": "reflecting"},
        {"boundary": "zero", "method": "fft"},
    )

    def __init__(
        self, channels: int, ndim: int, *, tensor: bool = False, boundary: str = "periodic", method: str = "auto"
    ) -> None:
        super().__init__(channels, ndim, boundary, "fft" if tensor else method)
        if tensor and (boundary != "periodic" or method == "matmul"):
            raise WavezooError(
                f"a speed tensor with boundary {boundary!r} and method {method!r} is not diagonal in one basis; "
                'use boundary="periodic" and method="auto", or tensor=False.'
            )
        self.weight = nn.Parameter(torch.empty(channels, 2 if tensor else 1))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        nn.init.zeros_(self.weight)

    def as_products(self) -> None:
        if self.weight.shape[1] == 2:
            raise WavezooError(
                "a speed tensor is not diagonal in a basis of real waves, so it needs complex numbers; "
                "use tensor=False, or a program that knows Fourier transforms."
            )
        super().as_products()

    @property
    def tensor(self) -> Tensor:
        """The symmetric tensor A of each channel, axes in the order (x, y), shape ``(C, 2, 2)``."""
        a, b = self._coefficients(self.weight.dtype)
        return torch.stack([torch.stack([1 + a, b], -1), torch.stack([b, 1 - a], -1)], -2)

    def bind(self, u: Tensor) -> Callable[[Tensor], Tensor]:
        method = self.method_on(u)
        return self.basis.multiplication(u, self._symbol(u, method), method)

    def modes(self, u: Tensor) -> Modes:
        method = self.method_on(u)
        return self.basis.modes(u, self._symbol(u, method), method)

    def spectral_radius(self, grid: Grid) -> Tensor:
        return -self._symbol(self.weight.new_empty(1, 1, *grid), "fft").flatten(1).amin(1)

    def extra_repr(self) -> str:
        return f"tensor={self.weight.shape[1] == 2}, boundary={self.boundary!r}, method={self.method!r}"

    def _coefficients(self, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
        weight = self.weight.to(dtype)
        a, *b = (weight / (1 + weight.square().sum(1, keepdim=True)).sqrt()).unbind(1)
        return a, b[0] if b else torch.zeros_like(a)

    def _symbol(self, u: Tensor, method: str) -> Tensor:
        a, b = (each.view(-1, 1, 1) for each in self._coefficients(u.dtype))
        k_y, k_x = self.basis.wave_numbers(u, method)
        symbol = (1 + a) * k_x.square() + (1 - a) * k_y.square()
        if self.weight.shape[1] == 2:
            symbol = symbol + 2 * b * _signed(k_x, u.shape[-1]) * _signed(k_y, u.shape[-2])
        return -symbol


def _signed(wave_numbers: Tensor, size: int) -> Tensor:
    """Return wave numbers in FFT order with their signs; zero at the Nyquist frequency, which has none."""
    m = torch.arange(wave_numbers.numel(), device=wave_numbers.device).view(wave_numbers.shape)
    return wave_numbers * torch.sign(size - 2 * m)
