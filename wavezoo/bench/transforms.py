"""What is faster on a grid, the Laplacian by FFT or by matrix products: the measurement behind ``method="auto"``."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch

from wavezoo.bench.clock import clock_of
from wavezoo.bench.timing import Contender, median, require_grids, require_rounds, timed_in_turn
from wavezoo.wave.laplacians import CosineLaplacian
from wavezoo.wave.spectral.basis import method_on

METHODS = ("fft", "matmul")
GRIDS: tuple[tuple[int, ...], ...] = (
    *((size,) for size in (32, 64, 128, 256, 512, 1024)),
    *((size, size) for size in (8, 16, 32, 64, 96, 128, 192, 256)),
)
# Numbers of a field, whatever the grid.
NUMBERS = 2**20


@dataclass(frozen=True)
class TransformMeasurement:
    """The pair of transforms on one grid.

    Attributes:
        grid: the grid.
        fft_ms: median time of forward and backward by FFT, in milliseconds.
        matmul_ms: the same by a matrix product along each axis.
        faster: the method that took less time.
        chosen: the method that ``"auto"`` stands for; ``"plane"`` is one product over both axes.
    """

    grid: tuple[int, ...]
    fft_ms: float
    matmul_ms: float
    faster: str
    chosen: str


def bench_transforms(
    grids: Sequence[tuple[int, ...]], device: torch.device, repeats: int = 7
) -> Iterator[TransformMeasurement]:
    """Measure the cosine transform there and back by FFT and by matrix products, which take turns.

    Args:
        grids: the grids, ``GRIDS`` by default.
        device: where to measure.
        repeats: how often each is timed.

    Raises:
        WavezooError: if ``repeats`` is not positive, or if a grid is neither a line nor a rectangle.
    """
    require_rounds(repeats, [1])
    require_grids(grids)
    for grid in grids or GRIDS:
        cells = torch.Size(grid).numel()
        x = torch.randn(1, max(1, NUMBERS // cells), *grid, device=device, requires_grad=True)
        contenders = [_transforms(method, x) for method in METHODS]
        times = timed_in_turn(contenders, clock_of(device), repeats)
        took = {name: median(each.both).ms for name, each in times.items()}
        yield TransformMeasurement(
            grid, took["fft"], took["matmul"], min(took, key=lambda name: took[name]), method_on(grid, "auto")
        )


def largest_matmul_axis(measured: Sequence[TransformMeasurement]) -> dict[int, int]:
    """Return, by number of axes, the most cells per axis up to which matrix products were faster throughout."""
    largest: dict[int, int] = {}
    for ndim in sorted({len(each.grid) for each in measured}):
        largest[ndim] = 0
        for each in sorted((one for one in measured if len(one.grid) == ndim), key=lambda one: max(one.grid)):
            if each.faster != "matmul":
                break
            largest[ndim] = max(each.grid)
    return largest


def _transforms(method: str, x: torch.Tensor) -> Contender:
    modes = CosineLaplacian(x.shape[1], x.ndim - 2, method=method).to(x.device).modes(x.detach())
    return Contender(method, lambda u: modes.inverse(modes.transform(u)), (x,), ())
