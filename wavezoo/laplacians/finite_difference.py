"""Central finite differences."""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from wavezoo.contracts import Grid, Laplacian
from wavezoo.errors import not_allowed

# Weights of u[i] and u[i ± 1], u[i ± 2], ... for the second derivative (Fornberg 1988, table 1).
STENCILS: dict[int, tuple[float, ...]] = {
    2: (-2.0, 1.0),
    4: (-5 / 2, 4 / 3, -1 / 12),
    6: (-49 / 18, 3 / 2, -3 / 20, 1 / 90),
}


class FiniteDifferenceLaplacian(Laplacian):
    """A central difference along each axis: local, and cheaper on large grids than a transform.

    Equation: ``(L u)_i = Σ_axes [w_0 u_i + Σ_j w_j (u_{i-j} + u_{i+j})]``, weights from Fornberg (1988).
    Boundary: periodic. Order: 2, 4 or 6 in the grid spacing. Spectral radius per axis: 4, 16/3 or 6.04.

    Args:
        order: order of accuracy, 2, 4 or 6.

    Raises:
        WavezooError: if ``order`` is none of these.
    """

    ndims = (1, 2)
    boundary = "periodic"
    causal = False
    self_adjoint = True
    order: float = 2
    variants = tuple({"order": order} for order in STENCILS)

    def __init__(self, channels: int, ndim: int, *, order: int = 2) -> None:
        super().__init__(channels, ndim)
        if order not in STENCILS:
            raise not_allowed("order of the finite-difference Laplacian", order, STENCILS)
        self.order = order

    def bind(self, u: Tensor) -> Callable[[Tensor], Tensor]:
        centre, *sides = STENCILS[int(self.order)]
        axes = range(2, u.ndim)

        def apply(u: Tensor) -> Tensor:
            total = u * (centre * len(axes))
            for axis in axes:
                for distance, weight in enumerate(sides, 1):
                    neighbours = torch.roll(u, distance, axis) + torch.roll(u, -distance, axis)
                    total = torch.add(total, neighbours, alpha=weight)
            return total

        return apply

    def spectral_radius(self, grid: Grid) -> float:
        return sum(self._largest_eigenvalue(size) for size in grid)

    def extra_repr(self) -> str:
        return f"order={self.order}"

    def _largest_eigenvalue(self, size: int) -> float:
        centre, *sides = STENCILS[int(self.order)]
        k = 2 * math.pi * (size // 2) / size
        return -centre - 2 * sum(weight * math.cos(j * k) for j, weight in enumerate(sides, 1))
