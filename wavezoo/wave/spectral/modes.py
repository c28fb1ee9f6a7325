"""The eigenvectors of a Laplacian.

Shapes: B batch, C channels, ``*G`` grid, ``*K`` modes; channels first.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from torch import Tensor

from wavezoo.wave.scheme import Grid
from wavezoo.wave.spectral.filters import filtered
from wavezoo.wave.spectral.gradient import Gradient, OfFourier


class Modes(NamedTuple):
    """The eigenvectors of a self-adjoint Laplacian, as a pair of transforms.

    Attributes:
        transform: from the grid ``(B, C, *G)`` to modes ``(B, C, *K)``, real or complex.
        inverse: back, for modes of a real field.
        eigenvalues: real and not positive, broadcastable to ``(B, C, *K)``, in 1 / cell².
        gradient: returns the derivatives of a field along each axis; None where its basis has none.
        fourier_grid: for modes of a Fourier transform, the grid that it is of, which zeros extend fields to; else None.
    """

    transform: Callable[[Tensor], Tensor]
    inverse: Callable[[Tensor], Tensor]
    eigenvalues: Tensor
    gradient: Callable[[], Gradient] | None = None
    fourier_grid: Grid | None = None

    def multiplied(self, u: Tensor, own: Tensor, along: Sequence[Tensor] = ()) -> Tensor:
        """Return the field whose modes are ``own u + Σ_axes along ∂u``.

        Args:
            u: a field, ``(B, C, *G)``.
            own: broadcastable to ``(B, C, *K)``.
            along: for each axis likewise; none for no derivatives.
        """
        if self.gradient is None or not along:
            if self.fourier_grid is None:
                return self.inverse(self.transform(u) * own)
            return filtered(u, own, None, self.fourier_grid)
        gradient = self.gradient()
        if self.fourier_grid is None or not isinstance(gradient, OfFourier):
            return self.inverse(gradient.combined(self.transform(u), own, along))
        return filtered(u, own, gradient.symbol(along), self.fourier_grid)
