"""The Laplacian of a grid without an edge: beyond it lies still medium, into which waves leave."""

import math
from collections.abc import Callable

from torch import Tensor
from torch.nn import functional as F

from wavezoo.wave.laplacians.by_transform import ByTransform
from wavezoo.wave.scheme import Grid
from wavezoo.wave.spectral import products
from wavezoo.wave.spectral.basis import BASES, method_on
from wavezoo.wave.spectral.gradient import OfHartley, signed_wave_numbers
from wavezoo.wave.spectral.modes import Modes
from wavezoo.wave.spectral.tables import rounded


class OpenLaplacian(ByTransform):
    """Multiplication by ``-|k|²`` on twice the grid: waves leave it, and come back from nowhere.

    Equation: ``L u = R F⁻¹ (-|k|² F E u)`` where E adds as many cells of zeros as the grid has along each axis, and R
    takes them away again. Exact solutions stay on the doubled grid, which is a ring: a wave that leaves comes in on
    the other side only after it has travelled more cells than the grid has, so reach at most so far. Cost: that of
    transforms of twice the length per axis, 2 times in 1D and 4 in 2D in time and in memory of modes; fields are kept
    on the grid alone. Spectral radius: below pi² per axis.

    For closed forms only, whose integrators declare that they keep to modes: step by step, what has left the grid would
    be forgotten after each step, which reflects. Stepped waves take another boundary and a ``sponge`` as damping.

    Args:
        method: as for ``spectral``: ``"fft"``, ``"matmul"`` or ``"auto"``.

    Raises:
        WavezooError: if ``method`` is none of these.
    """

    ndims = (1, 2)
    boundary = "open"
    causal = False
    self_adjoint = True
    # What lies beyond the edge is zero, so that a field has a jump there.
    order = math.nan
    steppable = False
    variants = ({"method": "fft"}, {"method": "matmul"})

    def __init__(self, channels: int, ndim: int, *, method: str = "auto") -> None:
        super().__init__(channels, ndim, "periodic", method)
        self.boundary = "open"

    def bind(self, u: Tensor) -> Callable[[Tensor], Tensor]:
        modes = self.modes(u)
        return lambda u: modes.inverse(modes.transform(u) * modes.eigenvalues)

    def modes(self, u: Tensor) -> Modes:
        grid, basis = u.shape[2:], BASES["periodic"]
        doubled = u.new_empty((1, 1, *(2 * size for size in grid)))
        method = self.method_on(u)
        eigenvalues = -basis.squared_wave_numbers(doubled, method)
        if method == "fft":
            whole = basis.modes(doubled, eigenvalues, method)
            padding = [end for size in reversed(grid) for end in (0, size)]
            return whole._replace(
                transform=lambda u: whole.transform(F.pad(u, padding)),
                inverse=lambda modes: _cropped(whole.inverse(modes), grid),
            )
        vectors = [rounded(basis.vectors(2 * size, u)[:size], u) for size in grid]
        return Modes(
            lambda u: products.product(u, *vectors),
            lambda modes: products.transposed_product(modes, *vectors),
            eigenvalues,
            lambda: OfHartley(_signed(grid, u), [2 * size for size in grid]),
        )

    def method_on(self, u: Tensor) -> str:
        method = method_on([2 * size for size in u.shape[2:]], self.method)
        return "matmul" if method == "plane" else method

    def spectral_radius(self, grid: Grid) -> float:
        return sum(_largest_eigenvalue(size) for size in grid)

    def extra_repr(self) -> str:
        return f"method={self.method!r}"


def _cropped(u: Tensor, grid: Grid) -> Tensor:
    for axis, size in enumerate(grid, 2):
        u = u.narrow(axis, 0, size)
    return u.contiguous()


def _signed(grid: Grid, like: Tensor) -> list[Tensor]:
    last = len(grid) - 1
    return [
        rounded(signed_wave_numbers(2 * size, like), like).view(-1, *[1] * (last - axis))
        for axis, size in enumerate(grid)
    ]


def _largest_eigenvalue(size: int) -> float:
    """Return a bound on that of an axis: within 2 % of the true one, which tends to that of an endless line."""
    return math.pi**2 * (1 - (1.3 - 0.6 / (size + 1)) / (size + 1))
