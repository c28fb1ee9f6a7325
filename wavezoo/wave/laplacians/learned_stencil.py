"""A Laplacian whose stencil is learned."""

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn

from wavezoo.errors import WavezooError
from wavezoo.wave.laplacians.base import Laplacian
from wavezoo.wave.scheme import Grid
from wavezoo.wave.spectral.basis import BASES
from wavezoo.wave.spectral.modes import Modes


class LearnedStencilLaplacian(Laplacian):
    """Minus the sum of ``GᵀG`` over learned difference stencils G: local, and a valid Laplacian whatever is learned.

    Equation: ``L = -Σ_j G_jᵀ G_j`` with one stencil for each axis and channel, whose weights sum to zero; its symbol is
    ``-Σ_j |Σ_d g_j(d) exp(i k d)|²``. Fresh stencils are the forward differences, which make it the central difference
    of order 2. Boundary: periodic. Symmetric and negative semi-definite by construction; constants map to zero.
    Spectral radius: the largest value of the symbol.

    Args:
        size: width of the stencils G in cells, at least 2; L then reaches ``size - 1`` cells far.

    Raises:
        WavezooError: if ``size`` is less than 2.
    """

    ndims = (1, 2)
    boundary = "periodic"
    causal = False
    self_adjoint = True
    order = 2
    diagonal = True
    variants = ({"size": 2},)

    def __init__(self, channels: int, ndim: int, *, size: int = 3) -> None:
        super().__init__(channels, ndim)
        if size < 2:
            raise WavezooError(f"size of the learned stencil is {size!r}; a difference needs at least 2 cells.")
        self.size = size
        self.weight = nn.Parameter(torch.empty(channels, ndim, *[size] * ndim))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        with torch.no_grad():
            self.weight.zero_()
            for axis in range(self.ndim):
                self.weight[:, axis].flatten(1)[:, 0] = -1
                self.weight[:, axis].flatten(1)[:, self.size ** (self.ndim - 1 - axis)] = 1

    def bind(self, u: Tensor) -> Callable[[Tensor], Tensor]:
        return BASES["periodic"].multiplication(u, self._symbol(u), "fft")

    def modes(self, u: Tensor) -> Modes:
        return BASES["periodic"].modes(u, self._symbol(u), "fft")

    def spectral_radius(self, grid: Grid) -> Tensor:
        return -self._symbol(self.weight.new_empty(1, 1, *grid)).flatten(1).amin(1)

    def extra_repr(self) -> str:
        return f"size={self.size}"

    def _symbol(self, u: Tensor) -> Tensor:
        """Return the symbol on the half spectrum of a real transform, shape ``(C, *K)``."""
        weight = self.weight.to(u.dtype).flatten(2)
        weight = weight - weight.mean(2, keepdim=True)
        grid = u.shape[2:]
        numbers = [torch.arange(n, device=u.device).to(u.dtype) * (2 * math.pi / n) for n in grid]
        numbers[-1] = numbers[-1][: grid[-1] // 2 + 1]
        offsets = torch.arange(self.size, device=u.device).to(u.dtype)
        k = torch.stack(torch.meshgrid(*numbers, indexing="ij"), -1)
        d = torch.stack(torch.meshgrid(*[offsets] * self.ndim, indexing="ij"), -1).flatten(0, -2)
        angles = k @ d.T
        symbol: Tensor = torch.zeros((), dtype=u.dtype, device=u.device)
        for wave in (angles.cos(), angles.sin()):
            symbol = symbol - torch.einsum("caj,...j->ca...", weight, wave).square().sum(1)
        return symbol
