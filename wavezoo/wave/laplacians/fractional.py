"""Fractional powers of the Laplacian."""

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn

from wavezoo.errors import WavezooError
from wavezoo.wave.laplacians.by_transform import ByTransform
from wavezoo.wave.scheme import Grid
from wavezoo.wave.spectral.modes import Modes


class FractionalLaplacian(ByTransform):
    """Multiplication by ``-|k|^alpha`` with a learned alpha per channel: waves whose speed depends on their length.

    Equation: ``L u = F⁻¹ (-|k|^alpha F u)``, ``alpha = 2 sigmoid(w)``, so that it stays between 0 and 2. At 2 every
    wave travels at the speed c; below, long waves travel faster than short ones, by ``c |k|^(alpha/2 - 1)``.
    Spectral radius: that of ∇², to the power alpha / 2.

    Args:
        alpha: its value at the start, above 0 and below 2, where the learned value cannot arrive.
        boundary: ``"periodic"``, ``"reflecting"`` or ``"zero"``.
        method: ``"fft"``, ``"matmul"``, or ``"auto"`` to choose by the size of the grid.

    Raises:
        WavezooError: if an option is out of range.
    """

    ndims = (1, 2)
    boundary = "periodic"
    causal = False
    self_adjoint = True
    order = math.nan
    variants = (
        {"method": "fft"},
        {"method": "matmul", "alpha": 0.8},
        {"boundary": "reflecting"},
        {"boundary": "zero", "method": "fft"},
    )

    def __init__(
        self, channels: int, ndim: int, *, alpha: float = 1.5, boundary: str = "periodic", method: str = "auto"
    ) -> None:
        super().__init__(channels, ndim, boundary, method)
        if not 0 < alpha < 2:
            raise WavezooError(
                f"alpha is {alpha!r}; give a number above 0 and below 2. For 2 itself, use the laplacian spectral, "
                "cosine or sine."
            )
        self.initial_alpha = alpha
        self.weight = nn.Parameter(torch.empty(channels))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        nn.init.constant_(self.weight, math.log(self.initial_alpha / (2 - self.initial_alpha)))

    @property
    def alpha(self) -> Tensor:
        """The exponent of each channel, shape ``(C,)``."""
        return 2 * torch.sigmoid(self.weight)

    def bind(self, u: Tensor) -> Callable[[Tensor], Tensor]:
        method = self.method_on(u)
        return self.basis.multiplication(u, self._symbol(u, method), method)

    def modes(self, u: Tensor) -> Modes:
        method = self.method_on(u)
        return self.basis.modes(u, self._symbol(u, method), method)

    def spectral_radius(self, grid: Grid) -> Tensor:
        return self.basis.spectral_radius(grid) ** (self.alpha / 2)

    def degree(self) -> Tensor:
        return self.alpha

    def extra_repr(self) -> str:
        return f"boundary={self.boundary!r}, method={self.method!r}"

    def _symbol(self, u: Tensor, method: str) -> Tensor:
        squared = self.basis.squared_wave_numbers(u, method)
        exponent = (self.alpha.to(u.dtype) / 2).view(-1, *[1] * self.ndim)
        # The power of zero is zero, but its derivative with respect to the exponent would be 0 times infinity.
        at_rest = squared == 0
        return torch.where(at_rest, 0.0, -(torch.where(at_rest, 1.0, squared) ** exponent))
