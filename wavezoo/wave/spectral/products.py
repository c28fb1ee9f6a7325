"""Transforms and second derivatives as products with real matrices, one for each grid axis or one for a whole plane.

Products of float32 are taken in float32, whatever ``torch.set_float32_matmul_precision`` allows: with TF32 a Laplacian
is off by 3e-4, and constants grow. Under `torch.compile` the setting is the caller's.

Shapes: B batch, C channels, ``*G`` grid, ``(N,)``, ``(H, W)`` or ``(D, H, W)``.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

from wavezoo.wave.layout import channels_last
from wavezoo.wave.spectral.linear import LinearMap, applied, self_adjoint
from wavezoo.wave.spectral.tables import rounded

# No sum of some entries of a row of a second derivative, or of two of them on a plane, is larger in absolute value.
LARGEST_PARTIAL_SUM = 16.0


def second_derivative(vectors: Tensor, wave_numbers: Tensor) -> Tensor:
    """Return the symmetric matrix with columns ``vectors`` as eigenvectors and eigenvalues ``-k²``, in float64."""
    matrix = (vectors * -wave_numbers.square()) @ vectors.mT
    return (matrix + matrix.mT) / 2


def plane(rows: Tensor, columns: Tensor) -> Tensor:
    """Return the matrix over all cells of a plane: ``rows`` along its first axis plus ``columns`` along its second."""
    along_rows = torch.kron(rows, torch.eye(columns.shape[0], dtype=rows.dtype, device=rows.device))
    return along_rows + torch.kron(torch.eye(rows.shape[0], dtype=rows.dtype, device=rows.device), columns)


def rounded_second_derivative(matrix: Tensor, like: Tensor, keeps_constants: bool) -> Tensor:
    """Return a matrix from float64 in the dtype of ``like``.

    Args:
        matrix: a symmetric matrix, or one of a plane.
        like: a field.
        keeps_constants: whether constants map to zero. Its rounding is then that of fixed-point numbers, whose sums
            are exact, and the diagonal takes up the rest: rows that sum to 1e-7 instead of zero would let a constant
            grow tenfold in 10,000 undamped steps.
    """
    if keeps_constants and like.dtype.itemsize >= 4:
        unit = LARGEST_PARTIAL_SUM * torch.finfo(like.dtype).eps / 2
        matrix = (matrix / unit).round() * unit
        matrix = matrix - torch.diag(matrix.sum(1))
    return rounded(matrix, like)


def product(u: Tensor, *matrices: Tensor) -> Tensor:
    """Return ``u`` times a matrix along each grid axis, or times one over all its cells."""
    return _in_full_precision(PRODUCT, u, matrices)


def transposed_product(u: Tensor, *matrices: Tensor) -> Tensor:
    """Return ``u`` times the transposed matrices."""
    return _in_full_precision(TRANSPOSED_PRODUCT, u, matrices)


def sum_of_products(u: Tensor, *matrices: Tensor) -> Tensor:
    """Return ``u D_x``, ``u D_x + D_y u`` and so on for symmetric matrices, or ``u`` times one over all its cells."""
    return _in_full_precision(SUM_OF_PRODUCTS, u, matrices)


def bfloat16_sum_of_products(u: Tensor, *matrices: Tensor) -> Tensor:
    """Return `sum_of_products` with fields and matrices rounded to bfloat16."""
    return _sum_of_products(u.bfloat16(), *matrices).to(u.dtype)


def _product(u: Tensor, *matrices: Tensor) -> Tensor:
    if channels_last(u):
        return _channels_last_product(u, *matrices)
    if len(matrices) < u.ndim - 2:
        return (u.flatten(2) @ matrices[0]).view(u.shape)
    u = u @ matrices[-1]
    if len(matrices) == 1:
        return u
    *others, beside = matrices[:-1]
    u = beside.mT @ u
    for axis, matrix in enumerate(others, 2):
        u = (u.transpose(axis, -1) @ matrix).transpose(axis, -1)
    return u


def _transposed_product(u: Tensor, *matrices: Tensor) -> Tensor:
    return _product(u, *(matrix.mT for matrix in matrices))


def _sum_of_products(u: Tensor, *matrices: Tensor) -> Tensor:
    if len(matrices) < u.ndim - 2:
        return _product(u, *matrices)
    if channels_last(u):
        return _channels_last_sum_of_products(u, *matrices)
    total = u @ matrices[-1]
    if len(matrices) == 1:
        return total
    *others, beside = matrices[:-1]
    lines = u.flatten(0, -3)
    # The sum as part of the second product and in its memory, which saves two passes.
    total = total.flatten(0, -3).baddbmm_(beside.expand(lines.shape[0], -1, -1), lines).view(u.shape)
    for axis, matrix in enumerate(others, 2):
        total = total + (u.transpose(axis, -1) @ matrix).transpose(axis, -1)
    return total


def _channels_last_product(u: Tensor, *matrices: Tensor) -> Tensor:
    u = u.movedim(1, -1)
    if len(matrices) < u.ndim - 2:
        return (matrices[0].mT @ u.flatten(1, -2)).view(u.shape).movedim(-1, 1)
    for axis, matrix in reversed(list(enumerate(matrices, 1))):
        lines = _lines(u, axis)
        u = (matrix.mT @ lines).view(*u.shape[:axis], matrix.shape[1], *u.shape[axis + 1 :])
    return u.movedim(-1, 1)


def _channels_last_sum_of_products(u: Tensor, *matrices: Tensor) -> Tensor:
    u = u.movedim(1, -1)
    total = matrices[-1] @ u
    for axis, matrix in enumerate(matrices[:-1], 1):
        lines = _lines(u, axis)
        # The sum as part of the product and in its memory, which saves two passes.
        total = _lines(total, axis).baddbmm_(matrix.expand(lines.shape[0], -1, -1), lines).view(u.shape)
    return total.movedim(-1, 1)


def _lines(u: Tensor, axis: int) -> Tensor:
    """Return the cells before ``axis``, those along it, and those after it, three axes in all."""
    return u.flatten(0, axis - 1).flatten(2)


PRODUCT = LinearMap(_product, _transposed_product)
TRANSPOSED_PRODUCT = LinearMap(_transposed_product, _product)
SUM_OF_PRODUCTS = self_adjoint(_sum_of_products)


def _in_full_precision(linear: LinearMap, u: Tensor, matrices: tuple[Tensor, ...]) -> Tensor:
    if torch.compiler.is_compiling() or torch.get_float32_matmul_precision() == "highest":
        return linear.function(u, *matrices)
    # The backward pass is taken in full precision too, so it may not be that of single operations.
    return applied(LinearMap(_precisely(linear.function), _precisely(linear.adjoint)), u, *matrices)


def _precisely(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
    def apply(u: Tensor, *matrices: Tensor) -> Tensor:
        with _highest_precision():
            return function(u, *matrices)

    return apply


@contextmanager
def _highest_precision() -> Iterator[None]:
    former = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("highest")
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(former)
