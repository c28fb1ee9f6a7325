"""The eigenvectors of the second derivative between each kind of boundary, by transform or by matrix product.

Whatever is a function of the wave numbers, a Laplacian, a fractional power of it, the exact solution of the wave
equation, is a multiplication between two transforms. On small grids the transform is a product with a real orthogonal
matrix for each axis: faster there, and free of complex numbers.

Shapes: B batch, C channels, ``*G`` grid, ``(N,)`` or ``(H, W)``, ``*K`` modes.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable

import torch
from torch import Tensor

from wavezoo.errors import WavezooError, require_choice
from wavezoo.wave.scheme import Grid
from wavezoo.wave.spectral import gradient, products, transforms
from wavezoo.wave.spectral.gradient import Gradient
from wavezoo.wave.spectral.linear import applied, self_adjoint
from wavezoo.wave.spectral.modes import Modes
from wavezoo.wave.spectral.tables import counted, rounded

METHODS = ("auto", "fft", "matmul")
PRODUCTS = ("full", "bfloat16")

# Measured on CPU, forward and backward: up to this many cells per axis, by number of axes, dense products beat the
# pair of transforms; and up to this many cells of a plane, one product for all of them beats one along each axis. Not
# measured on CUDA, where products are cheaper still in proportion.
LARGEST_MATMUL_AXIS = {1: 128, 2: 96}
LARGEST_MATMUL_PLANE = 121


def check_method(method: str, product: str = "full") -> None:
    """Raise WavezooError unless ``method`` is of ``METHODS`` and ``product`` of ``PRODUCTS``, and they go together."""
    require_choice("method of the Laplacian", method, METHODS)
    require_choice("product of the Laplacian", product, PRODUCTS)
    if product != "full" and method != "matmul":
        raise WavezooError(
            f'product is {product!r} and method is {method!r}; use method="matmul" for bfloat16 products.'
        )


def method_on(grid: Grid, method: str) -> str:
    """Return what ``method`` means on ``grid``, which for ``"auto"`` is a question of the size alone.

    Returns:
        ``"fft"``, ``"matmul"`` for a product along each axis, or ``"plane"`` for one over all cells of a plane.

    Raises:
        WavezooError: if ``method`` is ``"auto"`` and it is not known what is faster on so many axes.
    """
    if method != "auto":
        return method
    if len(grid) not in LARGEST_MATMUL_AXIS:
        raise WavezooError(
            f'method is "auto" on a grid of {len(grid)} axes, where it is not known what is faster; '
            'use method="fft" or method="matmul".'
        )
    if len(grid) == 2 and grid[0] * grid[1] <= LARGEST_MATMUL_PLANE:
        return "plane"
    return "matmul" if max(grid) <= LARGEST_MATMUL_AXIS[len(grid)] else "fft"


class Basis(ABC):
    """The eigenvectors of the second derivative along an axis of N cells, for one kind of boundary.

    Attributes:
        keeps_constants: whether a constant is one of them, with eigenvalue zero.
        is_fourier: whether its transform by FFT is the Fourier transform of real fields itself.
    """

    keeps_constants: bool
    is_fourier = False

    @abstractmethod
    def largest_wave_number(self, size: int) -> float:
        """Return the largest wave number on ``size`` cells, in 1 / cell."""

    @abstractmethod
    def axis_wave_numbers(self, size: int, like: Tensor) -> Tensor:
        """Return the wave numbers of the columns of `vectors`, in 1 / cell, in float64, shape ``(N,)``."""

    @abstractmethod
    def vectors(self, size: int, like: Tensor) -> Tensor:
        """Return the eigenvectors as the columns of a real orthogonal matrix, in float64, shape ``(N, N)``."""

    @abstractmethod
    def tables(self, grid: Grid, like: Tensor) -> list[Tensor]:
        """Return what the transforms by FFT need to know of the grid."""

    @abstractmethod
    def transform(self, u: Tensor, *tables: Tensor) -> Tensor:
        """Transform over all grid axes by FFT, ``(B, C, *G) -> (B, C, *K)``."""

    @abstractmethod
    def inverse(self, modes: Tensor, grid: Grid, *tables: Tensor) -> Tensor:
        """Transform back by FFT."""

    @abstractmethod
    def multiplied(self, u: Tensor, symbol: Tensor, *tables: Tensor) -> Tensor:
        """Multiply the modes of ``u`` by a real ``symbol``, by FFT."""

    @abstractmethod
    def slopes(self, size: int, like: Tensor) -> Tensor:
        """Return the derivatives of the columns of `vectors`, in 1 / cell, in float64, shape ``(N, N)``."""

    @abstractmethod
    def derivative(self, u: Tensor) -> Tensor:
        """Return the derivative of ``(B, C, ..., N)`` along its last axis, by FFT."""

    def gradient_by_transform(
        self, u: Tensor, transform: Callable[[Tensor], Tensor], inverse: Callable[[Tensor], Tensor]
    ) -> Gradient:
        """Return the derivatives of fields like ``u`` in modes by FFT."""
        return gradient.ByTransform(transform, inverse, self.derivative)

    def gradient_by_product(self, u: Tensor) -> Gradient:
        """Return the derivatives of fields like ``u`` in modes by product."""
        matrices = []
        for size in u.shape[2:]:
            matrices.append(rounded(self.slopes(size, u).mT @ self.vectors(size, u), u))
        return gradient.ByProduct(matrices)

    def exact_wave_numbers(self, u: Tensor, method: str) -> list[Tensor]:
        """Return `wave_numbers` in float64, where tables are made."""
        grid = u.shape[2:]
        numbers = [self.axis_wave_numbers(size, u) for size in grid]
        if method == "fft":
            numbers[-1] = self._transformed(numbers[-1])
        return [each.view(-1, *[1] * (len(grid) - 1 - axis)) for axis, each in enumerate(numbers)]

    def wave_numbers(self, u: Tensor, method: str) -> list[Tensor]:
        """Return the wave numbers along each axis of ``u``, in the order of the modes, broadcastable to ``(*K)``."""
        return [rounded(each, u) for each in self.exact_wave_numbers(u, method)]

    def squared_wave_numbers(self, u: Tensor, method: str) -> Tensor:
        """Return ``|k|²`` for the modes of fields like ``u``, shape ``(*K)``."""
        first, *others = (each.square() for each in self.exact_wave_numbers(u, method))
        return rounded(sum(others, first), u)

    def modes(self, u: Tensor, eigenvalues: Tensor, method: str) -> Modes:
        """Return the transforms for fields like ``u``, with the given eigenvalues."""
        grid = u.shape[2:]
        if method == "fft":
            tables = self.tables(grid, u)

            def transform(u: Tensor) -> Tensor:
                return self.transform(u, *tables)

            def inverse(modes: Tensor) -> Tensor:
                return self.inverse(modes, grid, *tables)

            found = Modes(transform, inverse, eigenvalues, lambda: self.gradient_by_transform(u, transform, inverse))
            return found._replace(fourier_grid=grid if self.is_fourier else None)
        vectors = [self.vectors(size, u) for size in grid]
        matrices = [rounded(torch.kron(*vectors), u)] if method == "plane" else [rounded(each, u) for each in vectors]
        return Modes(
            lambda u: products.product(u, *matrices),
            lambda modes: products.transposed_product(modes, *matrices),
            eigenvalues,
            lambda: self.gradient_by_product(u),
        )

    def multiplication(self, u: Tensor, symbol: Tensor, method: str) -> Callable[[Tensor], Tensor]:
        """Return the map that multiplies the modes of fields like ``u`` by a real ``symbol``, which may be learned."""
        modes = self.modes(u, symbol, method)
        return lambda u: modes.inverse(modes.transform(u) * symbol)

    def second_derivatives(self, u: Tensor, method: str, product: str = "full") -> Callable[[Tensor], Tensor]:
        """Return the sum over the axes of second derivatives, for fields like ``u``.

        Args:
            u: a field.
            method: one of ``METHODS``.
            product: one of ``PRODUCTS``, for matrix products.
        """
        grid = u.shape[2:]
        method = method_on(grid, method)
        if method == "fft":
            # Its gradient is itself, which saves the transforms of complex fields in the backward pass.
            linear = self_adjoint(self.multiplied)
            tables = [-self.squared_wave_numbers(u, method), *self.tables(grid, u)]
            return lambda u: applied(linear, u, *tables)
        matrices = [products.second_derivative(self.vectors(size, u), self.axis_wave_numbers(size, u)) for size in grid]
        if method == "plane":
            matrices = [products.plane(*matrices)]
        matrices = [products.rounded_second_derivative(each, u, self.keeps_constants) for each in matrices]
        if product == "bfloat16":
            matrices = [matrix.bfloat16() for matrix in matrices]
            return lambda u: products.bfloat16_sum_of_products(u, *matrices)
        return lambda u: products.sum_of_products(u, *matrices)

    def spectral_radius(self, grid: Grid) -> float:
        """Return the largest ``|k|²`` on ``grid``."""
        return sum(self.largest_wave_number(size) ** 2 for size in grid)

    def _transformed(self, wave_numbers: Tensor) -> Tensor:
        """Return those of the last axis that its FFT keeps."""
        return wave_numbers


class Fourier(Basis):
    """Periodic: ``k = 2 pi m / N``. By product, the Hartley basis ``cos + sin``, which is real and symmetric."""

    keeps_constants = True
    is_fourier = True

    def largest_wave_number(self, size: int) -> float:
        return 2 * math.pi * (size // 2) / size

    def axis_wave_numbers(self, size: int, like: Tensor) -> Tensor:
        m = counted(size, like)
        return torch.minimum(m, size - m).double() * (2 * math.pi / size)

    def vectors(self, size: int, like: Tensor) -> Tensor:
        index = counted(size, like)
        # Products reduced as integers first: the cosine of a large argument would lose digits.
        angles = (index[:, None] * index % size).double() * (2 * math.pi / size)
        return (angles.cos() + angles.sin()) / size**0.5

    def slopes(self, size: int, like: Tensor) -> Tensor:
        k, index = gradient.signed_wave_numbers(size, like), counted(size, like)
        angles = (index[:, None] * index % size).double() * (2 * math.pi / size)
        return (angles.cos() - angles.sin()) * (k / size**0.5)

    def tables(self, grid: Grid, like: Tensor) -> list[Tensor]:
        return []

    def transform(self, u: Tensor, *tables: Tensor) -> Tensor:
        return torch.fft.rfftn(u, dim=transforms.grid_axes(u))

    def inverse(self, modes: Tensor, grid: Grid, *tables: Tensor) -> Tensor:
        return torch.fft.irfftn(modes, s=grid, dim=transforms.grid_axes(modes))

    def multiplied(self, u: Tensor, symbol: Tensor, *tables: Tensor) -> Tensor:
        return transforms.fourier_multiplied(u, symbol)

    def derivative(self, u: Tensor) -> Tensor:
        return gradient.fourier_derivative(u)

    def gradient_by_transform(
        self, u: Tensor, transform: Callable[[Tensor], Tensor], inverse: Callable[[Tensor], Tensor]
    ) -> Gradient:
        return gradient.OfFourier(_signed(u.shape[2:], u, half=True))

    def gradient_by_product(self, u: Tensor) -> Gradient:
        return gradient.OfHartley(_signed(u.shape[2:], u), u.shape[2:])

    def _transformed(self, wave_numbers: Tensor) -> Tensor:
        return wave_numbers[: len(wave_numbers) // 2 + 1]


def _signed(grid: Grid, like: Tensor, half: bool = False) -> list[Tensor]:
    """Return the signed wave numbers along each axis of ``grid``, half of the last, broadcastable to ``(*K)``."""
    numbers = [gradient.signed_wave_numbers(size, like) for size in grid]
    if half:
        numbers[-1] = numbers[-1][: grid[-1] // 2 + 1]
    return [rounded(each, like).view(-1, *[1] * (len(grid) - 1 - axis)) for axis, each in enumerate(numbers)]


class Cosine(Basis):
    """A wall half a cell beyond the last cell (Neumann): the discrete cosine transform II, ``k = pi m / N``."""

    keeps_constants = True

    def largest_wave_number(self, size: int) -> float:
        return math.pi * (size - 1) / size

    def axis_wave_numbers(self, size: int, like: Tensor) -> Tensor:
        return counted(size, like).double() * (math.pi / size)

    def vectors(self, size: int, like: Tensor) -> Tensor:
        m = counted(size, like)
        angles = ((2 * m[:, None] + 1) * m % (4 * size)).double() * (math.pi / (2 * size))
        return angles.cos() * ((1 + (m > 0)).double() / size).sqrt()

    def slopes(self, size: int, like: Tensor) -> Tensor:
        k = self.axis_wave_numbers(size, like)
        angles = (counted(size, like).double()[:, None] + 0.5) * k
        return angles.sin() * (k * -((2 / size) ** 0.5))

    def tables(self, grid: Grid, like: Tensor) -> list[Tensor]:
        return transforms.cosine_tables(grid, like)

    def transform(self, u: Tensor, *tables: Tensor) -> Tensor:
        return transforms.cosine_transform(u, tables)

    def inverse(self, modes: Tensor, grid: Grid, *tables: Tensor) -> Tensor:
        return transforms.inverse_cosine_transform(modes, tables)

    def multiplied(self, u: Tensor, symbol: Tensor, *tables: Tensor) -> Tensor:
        return transforms.cosine_multiplied(u, symbol, *tables)

    def derivative(self, u: Tensor) -> Tensor:
        return gradient.mirrored_derivative(u)


class Sine(Basis):
    """Zero one cell beyond the last cell (Dirichlet): the discrete sine transform I, ``k = pi m / (N + 1)``."""

    keeps_constants = False

    def largest_wave_number(self, size: int) -> float:
        return math.pi * size / (size + 1)

    def axis_wave_numbers(self, size: int, like: Tensor) -> Tensor:
        return counted(size, like, 1).double() * (math.pi / (size + 1))

    def vectors(self, size: int, like: Tensor) -> Tensor:
        m = counted(size, like, 1)
        angles = (m[:, None] * m % (2 * (size + 1))).double() * (math.pi / (size + 1))
        return angles.sin() * (2 / (size + 1)) ** 0.5

    def slopes(self, size: int, like: Tensor) -> Tensor:
        k = self.axis_wave_numbers(size, like)
        angles = counted(size, like, 1).double()[:, None] * k
        return angles.cos() * (k * (2 / (size + 1)) ** 0.5)

    def tables(self, grid: Grid, like: Tensor) -> list[Tensor]:
        return []

    def transform(self, u: Tensor, *tables: Tensor) -> Tensor:
        return transforms.sine_transform(u)

    def inverse(self, modes: Tensor, grid: Grid, *tables: Tensor) -> Tensor:
        return transforms.sine_transform(modes)

    def multiplied(self, u: Tensor, symbol: Tensor, *tables: Tensor) -> Tensor:
        return transforms.sine_multiplied(u, symbol)

    def derivative(self, u: Tensor) -> Tensor:
        return gradient.odd_derivative(u)


BASES: dict[str, Basis] = {"periodic": Fourier(), "reflecting": Cosine(), "zero": Sine()}
