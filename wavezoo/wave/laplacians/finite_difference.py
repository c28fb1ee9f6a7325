"""Central finite differences."""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from wavezoo.errors import not_allowed
from wavezoo.wave.laplacians.base import Laplacian
from wavezoo.wave.scheme import Grid
from wavezoo.wave.spectral.basis import BASES, method_on
from wavezoo.wave.spectral.modes import Modes

# Weights of u[i] and u[i ± 1], u[i ± 2], ... for the second derivative (Fornberg 1988, table 1).
STENCILS: dict[int, tuple[float, ...]] = {
    2: (-2.0, 1.0),
    4: (-5 / 2, 4 / 3, -1 / 12),
    6: (-49 / 18, 3 / 2, -3 / 20, 1 / 90),
}


class FiniteDifferenceLaplacian(Laplacian):
    """A central difference along each axis: local, and cheaper on large grids than a transform.

    Equation: ``(L u)_i = Σ_axes [w_0 u_i + Σ_j w_j (u_{i-j} + u_{i+j})]``, weights from Fornberg (1988).
    Order: 2, 4 or 6 in the grid spacing. Spectral radius per axis: at most 4, 16/3 or 6.04.

    Args:
        order: order of accuracy, 2, 4 or 6.
        boundary: ``"periodic"``; ``"reflecting"``, a wall half a cell beyond the last cell, in which the field is
            mirrored; or ``"zero"``, a point one cell beyond it, in which the field is mirrored with its sign changed.

    Raises:
        WavezooError: if ``order`` or ``boundary`` is none of these.
    """

    ndims = (1, 2)
    boundary = "periodic"
    causal = False
    self_adjoint = True
    order: float = 2
    diagonal = True
    variants = tuple({"order": order, "boundary": boundary} for order in STENCILS for boundary in BASES)

    def __init__(self, channels: int, ndim: int, *, order: int = 2, boundary: str = "periodic") -> None:
        super().__init__(channels, ndim)
        if order not in STENCILS:
            raise not_allowed("order of the finite-difference Laplacian", order, STENCILS)
        if boundary not in BASES:
            raise not_allowed("boundary of the finite-difference Laplacian", boundary, BASES)
        self.order = order
        self.boundary = boundary

    def bind(self, u: Tensor) -> Callable[[Tensor], Tensor]:
        centre, *sides = STENCILS[int(self.order)]
        axes = range(2, u.ndim)

        def apply(u: Tensor) -> Tensor:
            total = u * (centre * len(axes))
            for axis in axes:
                for distance, weight in enumerate(sides, 1):
                    neighbours = self._shifted(u, axis, distance) + self._shifted(u, axis, -distance)
                    total = torch.add(total, neighbours, alpha=weight)
            return total

        return apply

    def modes(self, u: Tensor) -> Modes:
        basis, method = BASES[self.boundary], method_on(u.shape[2:], "auto")
        centre, *sides = STENCILS[int(self.order)]
        eigenvalues = u.new_zeros(())
        for k in basis.wave_numbers(u, method):
            along_axis = centre + sum(2 * weight * torch.cos(j * k) for j, weight in enumerate(sides, 1))
            eigenvalues = eigenvalues + along_axis
        return basis.modes(u, eigenvalues, method)

    def spectral_radius(self, grid: Grid) -> float:
        return sum(self._largest_eigenvalue(size) for size in grid)

    def extra_repr(self) -> str:
        return f"order={self.order}, boundary={self.boundary!r}"

    def _largest_eigenvalue(self, size: int) -> float:
        centre, *sides = STENCILS[int(self.order)]
        k = BASES[self.boundary].largest_wave_number(size)
        return -centre - 2 * sum(weight * math.cos(j * k) for j, weight in enumerate(sides, 1))

    def _shifted(self, u: Tensor, axis: int, distance: int) -> Tensor:
        """Return ``u_{i - distance}`` along ``axis``, with what the boundary puts beyond the edges."""
        if self.boundary == "periodic":
            return torch.roll(u, distance, axis)
        size = u.shape[axis]
        i = torch.arange(size, device=u.device) - distance
        if self.boundary == "reflecting":
            image = i % (2 * size)
            return u.index_select(axis, torch.minimum(image, 2 * size - 1 - image))
        image = (i + 1) % (2 * size + 2)
        mirrored = torch.minimum(image, 2 * size + 2 - image)
        sign = torch.sign(size + 1 - image) * (mirrored > 0)
        shape = [-1 if each == axis else 1 for each in range(u.ndim)]
        return u.index_select(axis, (mirrored - 1).clamp(0, size - 1)) * sign.to(u.dtype).view(shape)
