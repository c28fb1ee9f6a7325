"""The spectral Laplacian."""

import math
from collections.abc import Callable

from torch import Tensor

from wavezoo.wave.laplacians.by_transform import ByTransform
from wavezoo.wave.scheme import Grid
from wavezoo.wave.spectral.basis import check_method
from wavezoo.wave.spectral.modes import Modes


class SpectralLaplacian(ByTransform):
    """Multiplication by ``-|k|²`` in Fourier space: exact for every wave that the grid can carry.

    Equation: ``L u = irfft(-|k|² rfft(u))`` (Wave-PDE Nets, Vejendla 2025, spectral Laplacian), ``k`` in 1 / cell.
    Boundary: periodic. Order: spectral. Spectral radius: pi² per axis on an even grid, slightly less on an odd one.

    The same operator is, per axis, the real symmetric circulant matrix ``D = F⁻¹ diag(-k²) F``; on small grids the
    product ``u D_x + D_y u`` is faster, and it has no complex numbers.

    Args:
        method: ``"fft"``, ``"matmul"``, or ``"auto"`` to choose by the size of the grid.
        product: ``"full"`` takes matrix products in the solver's float32 or better; ``"bfloat16"``, with
            ``method="matmul"``, in bfloat16, whose rounding the output then carries: 0.7 to 0.9 % after four steps.
            Rounded so, the operator is no longer negative semi-definite, and a constant of 1 grows to 1.3 in 16 steps
            and 3e4 in 256; it declares ``self_adjoint = False``, and the Courant guard does not accept it.

    Raises:
        WavezooError: if ``method`` or ``product`` is none of these, or if they do not go together.
    """

    ndims = (1, 2)
    boundary = "periodic"
    causal = False
    self_adjoint = True
    order = math.inf
    variants = ({"method": "fft"}, {"method": "matmul"})

    def __init__(self, channels: int, ndim: int, *, method: str = "auto", product: str = "full") -> None:
        super().__init__(channels, ndim, self.boundary, method)
        check_method(method, product)
        self.product = product
        self.self_adjoint = product == "full"

    def bind(self, u: Tensor) -> Callable[[Tensor], Tensor]:
        return self.basis.second_derivatives(u, self.method, self.product)

    def modes(self, u: Tensor) -> Modes:
        method = self.method_on(u)
        return self.basis.modes(u, -self.basis.squared_wave_numbers(u, method), method)

    def spectral_radius(self, grid: Grid) -> float:
        return self.basis.spectral_radius(grid)

    def extra_repr(self) -> str:
        return f"method={self.method!r}, product={self.product!r}"
