"""Gradients of fields in the basis of their boundary: what directs a wave that starts on its way.

Shapes: B batch, C channels, ``*G`` grid, ``(N,)`` or ``(H, W)``, ``*K`` modes; channels first.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from wavezoo.wave.spectral.tables import counted, rounded


class Gradient(ABC):
    """The derivatives along each grid axis of a field that is given by its modes."""

    @abstractmethod
    def along(self, modes: Tensor) -> list[Tensor]:
        """Return the modes of the derivative along each axis, each ``(B, C, *K)``, in 1 / cell."""

    def combined(self, modes: Tensor, own: Tensor, along: Sequence[Tensor]) -> Tensor:
        """Return ``own u + Σ_axes along ∂u``, mode by mode, for coefficients broadcastable to ``(B, C, *K)``."""
        total = own * modes
        for coefficient, derivative in zip(along, self.along(modes), strict=True):
            total = torch.addcmul(total, coefficient, derivative)
        return total


class OfFourier(Gradient):
    """``i k``, in the modes of a Fourier transform that keeps half of the last axis.

    Args:
        wave_numbers: with their signs, of each axis, broadcastable to ``(*K)``.
    """

    def __init__(self, wave_numbers: Sequence[Tensor]) -> None:
        self.wave_numbers = wave_numbers

    def along(self, modes: Tensor) -> list[Tensor]:
        return [modes * torch.complex(torch.zeros_like(k), k) for k in self.wave_numbers]

    def combined(self, modes: Tensor, own: Tensor, along: Sequence[Tensor]) -> Tensor:
        # One product with fields, whatever the number of axes.
        return modes * torch.complex(*torch.broadcast_tensors(own, self.symbol(along)))

    def symbol(self, along: Sequence[Tensor]) -> Tensor:
        """Return the imaginary number, without i, that ``Σ_axes along ∂u`` multiplies modes by."""
        first, *others = (coefficient * k for coefficient, k in zip(along, self.wave_numbers, strict=True))
        return sum(others, first)


class OfHartley(Gradient):
    """In the basis ``cas(k x) = cos + sin`` the derivative of one wave is its mirror image, ``k cas(-k x)``.

    Args:
        wave_numbers: with their signs, of each axis, broadcastable to ``(*K)``.
        size: number of modes of each axis.
    """

    def __init__(self, wave_numbers: Sequence[Tensor], sizes: Sequence[int]) -> None:
        self.wave_numbers = wave_numbers
        self.sizes = sizes

    def along(self, modes: Tensor) -> list[Tensor]:
        found = []
        for axis, (k, size) in enumerate(zip(self.wave_numbers, self.sizes, strict=True), 2):
            mirrored = modes.index_select(axis, -torch.arange(size, device=modes.device) % size)
            found.append(mirrored * -k)
        return found


class ByProduct(Gradient):
    """One product with a matrix for each axis.

    Args:
        matrices: for each axis the map of its modes, ``(K, K)``, rows to columns.
    """

    def __init__(self, matrices: Sequence[Tensor]) -> None:
        self.matrices = matrices

    def along(self, modes: Tensor) -> list[Tensor]:
        last = modes.ndim - 1
        return [
            modes @ matrix if axis == last else (modes.transpose(axis, last) @ matrix).transpose(axis, last)
            for axis, matrix in enumerate(self.matrices, 2)
        ]


class ByTransform(Gradient):
    """There and back: a derivative on the grid between two transforms.

    Args:
        transform: from the grid to modes.
        inverse: back.
        derivative: of fields along their last axis.
    """

    def __init__(
        self,
        transform: Callable[[Tensor], Tensor],
        inverse: Callable[[Tensor], Tensor],
        derivative: Callable[[Tensor], Tensor],
    ) -> None:
        self.transform = transform
        self.inverse = inverse
        self.derivative = derivative

    def along(self, modes: Tensor) -> list[Tensor]:
        u = self.inverse(modes)
        return [self.transform(self.derivative(u.transpose(axis, -1)).transpose(axis, -1)) for axis in range(2, u.ndim)]


def signed_wave_numbers(size: int, like: Tensor) -> Tensor:
    """Return those of a periodic axis with their signs, in float64; zero at Nyquist, whose derivative is no wave."""
    m = counted(size, like)
    signed = torch.where(2 * m > size, m - size, torch.where(2 * m == size, 0, m))
    return signed.double() * (2 * math.pi / size)


def fourier_derivative(u: Tensor) -> Tensor:
    """Return the derivative along the last axis of periodic lines, by a pair of Fourier transforms."""
    size = u.shape[-1]
    k = rounded(signed_wave_numbers(size, u)[: size // 2 + 1], u)
    spectrum = torch.fft.rfft(u)
    return torch.fft.irfft(spectrum * torch.complex(torch.zeros_like(k), k), n=size)


def mirrored_derivative(u: Tensor) -> Tensor:
    """Return the derivative of lines that are mirrored half a cell beyond their ends."""
    return fourier_derivative(torch.cat([u, u.flip(-1)], -1))[..., : u.shape[-1]]


def odd_derivative(u: Tensor) -> Tensor:
    """Return the derivative of lines that are zero one cell beyond their ends, and mirrored there with changed sign."""
    zero = torch.zeros_like(u[..., :1])
    return fourier_derivative(torch.cat([zero, u, zero, -u.flip(-1)], -1))[..., 1 : u.shape[-1] + 1]
