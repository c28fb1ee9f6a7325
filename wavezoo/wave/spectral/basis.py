"""The eigenvectors of the second derivative between each kind of boundary, by transform or by matrix product.

Whatever is a function of the wave numbers, a Laplacian, a fractional power of it, the exact solution of the wave
equation, is a multiplication between two transforms. On small grids the transform is a product with a real orthogonal
matrix for each axis: faster there, and free of complex numbers.

Shapes: B batch, C channels, ``*G`` grid, ``(N,)`` or ``(H, W)``, ``*K`` modes.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from wavezoo.errors import WavezooError, not_allowed
from wavezoo.wave.scheme import Grid
from wavezoo.wave.spectral.modes import Modes

METHODS = ("auto", "fft", "matmul")
PRODUCTS = ("full", "bfloat16")

# Measured on CPU, forward and backward: up to this many cells per axis, by number of axes, dense products beat the
# pair of transforms; and up to this many cells of a plane, one product for all of them beats one along each axis. Not
# measured on CUDA, where products are cheaper still in proportion.
LARGEST_MATMUL_AXIS = {1: 128, 2: 96}
LARGEST_MATMUL_PLANE = 121


def check_method(method: str, product: str = "full") -> None:
    """Raise WavezooError unless ``method`` is of ``METHODS`` and ``product`` of ``PRODUCTS``, and they go together."""
    if method not in METHODS:
        raise not_allowed("method of the Laplacian", method, METHODS)
    if product not in PRODUCTS:
        raise not_allowed("product of the Laplacian", product, PRODUCTS)
    if product != "full" and method != "matmul":
        raise WavezooError(
            f'product is {product!r} and method is {method!r}; use method="matmul" for bfloat16 products.'
        )


def method_on(grid: Grid, method: str) -> str:
    """Return what ``method`` means on ``grid``, which for ``"auto"`` is a question of the size alone.

    Returns:
        ``"fft"``, ``"matmul"`` for a product along each axis, or ``"plane"`` for one over all cells of a plane.
    """
    if method != "auto":
        return method
    if len(grid) == 2 and grid[0] * grid[1] <= LARGEST_MATMUL_PLANE:
        return "plane"
    return "matmul" if max(grid) <= LARGEST_MATMUL_AXIS[len(grid)] else "fft"


class Basis(ABC):
    """The eigenvectors of the second derivative along an axis of N cells, for one kind of boundary."""

    @abstractmethod
    def largest_wave_number(self, size: int) -> float:
        """Return the largest wave number on ``size`` cells, in 1 / cell."""

    @abstractmethod
    def axis_wave_numbers(self, size: int, like: Tensor) -> Tensor:
        """Return the wave numbers of the columns of `vectors`, in 1 / cell, shape ``(N,)``."""

    @abstractmethod
    def vectors(self, size: int, like: Tensor) -> Tensor:
        """Return the eigenvectors as the columns of a real orthogonal matrix, shape ``(N, N)``."""

    @abstractmethod
    def transform(self, u: Tensor) -> Tensor:
        """Transform over all grid axes by FFT, ``(B, C, *G) -> (B, C, *K)``."""

    @abstractmethod
    def inverse(self, modes: Tensor, grid: Grid) -> Tensor:
        """Transform back by FFT."""

    def wave_numbers(self, u: Tensor, method: str) -> list[Tensor]:
        """Return the wave numbers along each axis of ``u``, in the order of the modes, broadcastable to ``(*K)``."""
        grid = u.shape[2:]
        numbers = [self.axis_wave_numbers(size, u) for size in grid]
        if method == "fft":
            numbers[-1] = self._transformed(numbers[-1])
        return [each.view(-1, *[1] * (len(grid) - 1 - axis)) for axis, each in enumerate(numbers)]

    def modes(self, u: Tensor, eigenvalues: Tensor, method: str) -> Modes:
        """Return the transforms for fields like ``u``, with the given eigenvalues."""
        grid = u.shape[2:]
        if method == "fft":
            return Modes(self.transform, lambda modes: self.inverse(modes, grid), eigenvalues)
        matrices = self._matrices(u, method)
        transposed = [each.mT for each in matrices]
        return Modes(lambda u: _product(u, matrices), lambda modes: _product(modes, transposed), eigenvalues)

    def multiplication(self, u: Tensor, symbol: Tensor, method: str) -> Callable[[Tensor], Tensor]:
        """Return the map that multiplies the modes of fields like ``u`` by a real ``symbol``."""
        if method != "fft" or symbol.requires_grad:
            modes = self.modes(u, symbol, method)
            return lambda u: modes.inverse(modes.transform(u) * symbol)
        return lambda u: self.self_adjoint_multiplication(u, symbol)

    @abstractmethod
    def self_adjoint_multiplication(self, u: Tensor, symbol: Tensor) -> Tensor:
        """Multiply by a fixed symbol by FFT; its gradient is itself, which saves the transforms of complex fields."""

    def second_derivatives(self, u: Tensor, method: str, product: str = "full") -> Callable[[Tensor], Tensor]:
        """Return the sum over the axes of second derivatives, for fields like ``u``.

        Args:
            u: a field.
            method: one of ``METHODS``.
            product: one of ``PRODUCTS``, for matrix products.
        """
        method = method_on(u.shape[2:], method)
        if method == "fft":
            return self.multiplication(u, -self.squared_wave_numbers(u, method), method)
        if method == "plane":
            (vectors,) = self._matrices(u, method)
            matrix = (vectors * -self.squared_wave_numbers(u, method).flatten()) @ vectors.mT
            return lambda u: _product(u, [matrix])
        matrices = []
        for size, vectors in zip(u.shape[2:], self._matrices(u, method), strict=True):
            matrices.append((vectors * -self.axis_wave_numbers(size, u).square()) @ vectors.mT)

        if product == "bfloat16":
            lowered = [matrix.bfloat16() for matrix in matrices]
            return lambda u: _sum_of_products(u.bfloat16(), lowered).to(u.dtype)
        return lambda u: _sum_of_products(u, matrices)

    def squared_wave_numbers(self, u: Tensor, method: str) -> Tensor:
        """Return ``|k|²`` for the modes of fields like ``u``, shape ``(*K)``."""
        first, *others = (each.square() for each in self.wave_numbers(u, method))
        return first + others[0] if others else first

    def spectral_radius(self, grid: Grid) -> float:
        """Return the largest ``|k|²`` on ``grid``."""
        return sum(self.largest_wave_number(size) ** 2 for size in grid)

    def _matrices(self, u: Tensor, method: str) -> list[Tensor]:
        """Return the eigenvectors along each axis of ``u``, or those of the plane, as columns."""
        matrices = [self.vectors(size, u) for size in u.shape[2:]]
        if method != "plane":
            return matrices
        rows, columns = matrices
        cells = rows.shape[0] * columns.shape[0]
        return [(rows[:, None, :, None] * columns[None, :, None, :]).reshape(cells, cells)]

    def _transformed(self, wave_numbers: Tensor) -> Tensor:
        """Return those of the last axis that its FFT keeps."""
        return wave_numbers


class Fourier(Basis):
    """Periodic: ``k = 2 pi m / N``. By product, the Hartley basis ``cos + sin``, which is real and symmetric."""

    def largest_wave_number(self, size: int) -> float:
        return 2 * math.pi * (size // 2) / size

    def axis_wave_numbers(self, size: int, like: Tensor) -> Tensor:
        # An arange, because a graph compiled with fftfreq would be tied to the size.
        m = torch.arange(size, device=like.device)
        return torch.minimum(m, size - m).to(like.dtype) * (2 * math.pi / size)

    def vectors(self, size: int, like: Tensor) -> Tensor:
        index = torch.arange(size, device=like.device)
        # Products reduced as integers first: the cosine of a large argument would lose digits.
        angles = (index[:, None] * index % size).to(like.dtype) * (2 * math.pi / size)
        return (angles.cos() + angles.sin()) / size**0.5

    def transform(self, u: Tensor) -> Tensor:
        return torch.fft.rfftn(u, dim=_grid_axes(u))

    def inverse(self, modes: Tensor, grid: Grid) -> Tensor:
        return torch.fft.irfftn(modes, s=grid, dim=_grid_axes(modes))

    def self_adjoint_multiplication(self, u: Tensor, symbol: Tensor) -> Tensor:
        return _FourierMultiplication.apply(u, symbol)

    def _transformed(self, wave_numbers: Tensor) -> Tensor:
        return wave_numbers[: len(wave_numbers) // 2 + 1]


class Cosine(Basis):
    """A wall half a cell beyond the last cell (Neumann): the discrete cosine transform II, ``k = pi m / N``."""

    def largest_wave_number(self, size: int) -> float:
        return math.pi * (size - 1) / size

    def axis_wave_numbers(self, size: int, like: Tensor) -> Tensor:
        return torch.arange(size, device=like.device).to(like.dtype) * (math.pi / size)

    def vectors(self, size: int, like: Tensor) -> Tensor:
        m = torch.arange(size, device=like.device)
        angles = ((2 * m[:, None] + 1) * m % (4 * size)).to(like.dtype) * (math.pi / (2 * size))
        return angles.cos() * ((1 + (m > 0)).to(like.dtype) / size).sqrt()

    def transform(self, u: Tensor) -> Tensor:
        return _along_axes(u, _cosine_transform)

    def inverse(self, modes: Tensor, grid: Grid) -> Tensor:
        return _along_axes(modes, _inverse_cosine_transform)

    def self_adjoint_multiplication(self, u: Tensor, symbol: Tensor) -> Tensor:
        return _CosineMultiplication.apply(u, symbol)


class Sine(Basis):
    """Zero one cell beyond the last cell (Dirichlet): the discrete sine transform I, ``k = pi m / (N + 1)``."""

    def largest_wave_number(self, size: int) -> float:
        return math.pi * size / (size + 1)

    def axis_wave_numbers(self, size: int, like: Tensor) -> Tensor:
        return torch.arange(1, size + 1, device=like.device).to(like.dtype) * (math.pi / (size + 1))

    def vectors(self, size: int, like: Tensor) -> Tensor:
        m = torch.arange(1, size + 1, device=like.device)
        angles = (m[:, None] * m % (2 * (size + 1))).to(like.dtype) * (math.pi / (size + 1))
        return angles.sin() * (2 / (size + 1)) ** 0.5

    def transform(self, u: Tensor) -> Tensor:
        return _along_axes(u, _sine_transform)

    def inverse(self, modes: Tensor, grid: Grid) -> Tensor:
        return _along_axes(modes, _sine_transform)

    def self_adjoint_multiplication(self, u: Tensor, symbol: Tensor) -> Tensor:
        return _SineMultiplication.apply(u, symbol)


BASES: dict[str, Basis] = {"periodic": Fourier(), "reflecting": Cosine(), "zero": Sine()}


class _SelfAdjoint(torch.autograd.Function):
    """Multiplication of the modes of ``u`` by a symbol that needs no gradient."""

    generate_vmap_rule = True

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, Tensor], output: Tensor) -> None:
        ctx.save_for_backward(inputs[1])


class _FourierMultiplication(_SelfAdjoint):
    @staticmethod
    def forward(u: Tensor, symbol: Tensor) -> Tensor:
        axes = _grid_axes(u)
        # In place: fresh memory for the product would cost more than the product.
        return torch.fft.irfftn(torch.fft.rfftn(u, dim=axes).mul_(symbol), s=u.shape[2:], dim=axes)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        return _FourierMultiplication.apply(gradient, *ctx.saved_tensors), None


class _CosineMultiplication(_SelfAdjoint):
    @staticmethod
    def forward(u: Tensor, symbol: Tensor) -> Tensor:
        return _along_axes(_along_axes(u, _cosine_transform) * symbol, _inverse_cosine_transform)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        return _CosineMultiplication.apply(gradient, *ctx.saved_tensors), None


class _SineMultiplication(_SelfAdjoint):
    @staticmethod
    def forward(u: Tensor, symbol: Tensor) -> Tensor:
        return _along_axes(_along_axes(u, _sine_transform) * symbol, _sine_transform)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        return _SineMultiplication.apply(gradient, *ctx.saved_tensors), None


def _product(u: Tensor, matrices: list[Tensor]) -> Tensor:
    """Return ``u`` times a matrix along each grid axis, or times one over all its cells."""
    if len(matrices) < u.ndim - 2:
        return (u.flatten(2) @ matrices[0]).view(u.shape)
    along_last = u @ matrices[-1]
    return along_last if len(matrices) == 1 else matrices[0].mT @ along_last


def _sum_of_products(u: Tensor, matrices: list[Tensor]) -> Tensor:
    """Return ``u D_x`` or ``u D_x + D_y u`` for symmetric matrices, one for each grid axis of ``u``."""
    along_last = u @ matrices[-1]
    if len(matrices) == 1:
        return along_last
    lines = u.flatten(0, 1)
    # The sum as part of the second product, which saves a pass over memory.
    both = torch.baddbmm(along_last.flatten(0, 1), matrices[0].expand(lines.shape[0], -1, -1), lines)
    return both.view(u.shape)


def _grid_axes(u: Tensor) -> tuple[int, ...]:
    return tuple(range(2, u.ndim))


def _along_axes(u: Tensor, function: Callable[[Tensor], Tensor]) -> Tensor:
    """Apply a function of the last axis along every grid axis."""
    u = function(u)
    return u if u.ndim == 3 else function(u.mT).mT


def _quarter_turns(size: int, like: Tensor) -> tuple[Tensor, Tensor]:
    """Return cosine and sine of ``pi m / 2N``: the half cell between the first cell and the wall."""
    angles = torch.arange(size, device=like.device).to(like.dtype) * (math.pi / (2 * size))
    return angles.cos(), angles.sin()


def _cosine_transform(u: Tensor) -> Tensor:
    """Return the orthogonal DCT-II along the last axis, by a Fourier transform of the line and its mirror image."""
    size = u.shape[-1]
    mirrored = torch.fft.rfft(torch.cat([u, u.flip(-1)], -1))[..., :size]
    cosine, sine = _quarter_turns(size, u)
    return (mirrored.real * cosine + mirrored.imag * sine) * _cosine_scale(size, u)


def _inverse_cosine_transform(modes: Tensor) -> Tensor:
    size = modes.shape[-1]
    cosine, sine = _quarter_turns(size, modes)
    scaled = modes / _cosine_scale(size, modes)
    # Padded before they are one, since ONNX cannot pad complex numbers.
    spectrum = torch.complex(*(torch.nn.functional.pad(scaled * part, (0, 1)) for part in (cosine, sine)))
    # The mirrored line has nothing at its Nyquist frequency.
    return torch.fft.irfft(spectrum, n=2 * size)[..., :size]


def _cosine_scale(size: int, like: Tensor) -> Tensor:
    m = torch.arange(size, device=like.device)
    return ((1 + (m > 0)).to(like.dtype) / (4 * size)).sqrt()


def _sine_transform(u: Tensor) -> Tensor:
    """Return the orthogonal DST-I along the last axis, its own inverse, by a transform of the line and its negative."""
    size = u.shape[-1]
    zero = torch.zeros_like(u[..., :1])
    mirrored = torch.fft.rfft(torch.cat([zero, u, zero, -u.flip(-1)], -1))
    return mirrored.imag[..., 1 : size + 1] * -((1 / (2 * (size + 1))) ** 0.5)
