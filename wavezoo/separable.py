"""Linear operators that act along each grid axis by itself, by transform or by matrix product.

Shapes: B batch, C channels, ``*G`` grid, ``(N,)`` or ``(H, W)``.
"""

from collections.abc import Callable, Sequence

from torch import Tensor

from wavezoo.contracts import Grid
from wavezoo.errors import not_allowed

METHODS = ("auto", "fft", "matmul")

# Measured on CPU, forward and backward: up to this many cells per axis, by number of axes, a dense product beats the
# pair of transforms.
LARGEST_MATMUL_AXIS = {1: 128, 2: 64}


def check_method(method: str) -> None:
    """Raise WavezooError unless ``method`` is one of ``METHODS``."""
    if method not in METHODS:
        raise not_allowed("method of the Laplacian", method, METHODS)


def uses_matmul(method: str, grid: Grid) -> bool:
    """Return whether ``method`` means matrix products on ``grid``."""
    if method == "auto":
        return max(grid) <= LARGEST_MATMUL_AXIS[len(grid)]
    return method == "matmul"


def sum_of_products(u: Tensor, matrices: Sequence[Tensor]) -> Tensor:
    """Return ``u D_x`` or ``u D_x + D_y u`` for symmetric matrices, one for each grid axis of ``u``."""
    along_last = u @ matrices[-1]
    return along_last if len(matrices) == 1 else along_last + matrices[0] @ u


def sum_along_axes(u: Tensor, functions: Sequence[Callable[[Tensor], Tensor]]) -> Tensor:
    """Return the sum of functions that act along the last axis, each applied along the grid axis of its place."""
    along_last = functions[-1](u)
    return along_last if len(functions) == 1 else along_last + functions[0](u.mT).mT
