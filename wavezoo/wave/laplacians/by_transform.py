"""Laplacians that are diagonal in the basis of their boundary, by transform or by matrix product."""

from torch import Tensor

from wavezoo.errors import require_choice
from wavezoo.wave.laplacians.base import Laplacian
from wavezoo.wave.spectral.basis import BASES, Basis, check_method, method_on


class ByTransform(Laplacian):
    """A Laplacian whose modes come by fast transform or by products of matrices.

    Args:
        channels: number of channels C.
        ndim: number of grid axes.
        boundary: ``"periodic"``, ``"reflecting"`` or ``"zero"``.
        method: ``"fft"``, ``"matmul"``, or ``"auto"`` to choose by the size of the grid.

    Raises:
        WavezooError: if ``boundary`` or ``method`` is none of these.
    """

    diagonal = True

    def __init__(self, channels: int, ndim: int, boundary: str, method: str = "auto") -> None:
        super().__init__(channels, ndim)
        require_choice("boundary of the Laplacian", boundary, BASES)
        check_method(method)
        self.boundary = boundary
        self.method = method
        self.complex_free = method == "matmul"

    @property
    def basis(self) -> Basis:
        """The eigenvectors between its boundaries."""
        return BASES[self.boundary]

    def as_products(self) -> None:
        self.method = "matmul"
        self.complex_free = True

    def method_on(self, u: Tensor) -> str:
        """Return what its method is for fields like ``u``: ``"fft"``, ``"matmul"`` or ``"plane"``."""
        return method_on(u.shape[2:], self.method)
