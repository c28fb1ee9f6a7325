"""Benchmarks of the wave operator against a naive one and against other mixers, all in one run.

Shapes: B batch, C channels, ``*G`` grid.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch

from wavezoo.bench.clock import clock_of, measured_limits
from wavezoo.bench.contenders import COMPILED, operator_contenders
from wavezoo.bench.timing import Contender, Times, kept_mib, median, require_rounds, timed_in_turn
from wavezoo.bench.work import work_of
from wavezoo.errors import WavezooError

BATCHES = (1, 2, 16)
# Channels on each grid, as in the stages of a backbone.
GRIDS: dict[tuple[int, ...], int] = {
    (14, 14): 384,
    (28, 28): 192,
    (56, 56): 96,
    (1024,): 128,
    (4096,): 128,
    (16384,): 64,
}
OTHER_CHANNELS = 64
# Cells of a batch in the cases that are measured by default: attention on more takes minutes on a CPU.
MOST_CELLS = 16384


@dataclass(frozen=True)
class Measurement:
    """One contender on one grid.

    Attributes:
        grid: the grid.
        batch: B.
        channels: C.
        contender: what was measured.
        forward_ms: median time of a forward pass without gradients, in milliseconds.
        forward_spread_ms: its interquartile range.
        both_ms: median time of a forward and a backward pass.
        both_spread_ms: its interquartile range.
        kept_mib: what the forward pass keeps for the backward pass, parameters aside, in MiB.
        peak_mib: the most memory that a forward and a backward pass hold, in MiB; None where the device does not tell.
        limit_share: of the forward pass: the share of the nearer limit of the device that it reaches.
        limited_by: which limit that is, ``"bandwidth"`` or ``"arithmetic"``.
    """

    grid: tuple[int, ...]
    batch: int
    channels: int
    contender: str
    forward_ms: float
    forward_spread_ms: float
    both_ms: float
    both_spread_ms: float
    kept_mib: float
    peak_mib: float | None
    limit_share: float
    limited_by: str


Case = tuple[tuple[int, ...], int]


def operator_cases(grids: Sequence[tuple[int, ...]] = (), batches: Sequence[int] = ()) -> list[Case]:
    """Return grids with batch sizes.

    Args:
        grids: those of ``GRIDS`` by default.
        batches: 1, 2 and 16 by default, as far as a batch has no more than 16,384 cells.

    Raises:
        WavezooError: if a grid is neither a line nor a rectangle.
    """
    for grid in grids:
        if len(grid) not in (1, 2) or min(grid) < 1:
            raise WavezooError(f"grid {grid!r} is no line and no rectangle; give sizes such as 1024 or 28x28.")
    return [
        (grid, batch)
        for grid in (grids or GRIDS)
        for batch in (batches or BATCHES)
        if batches or batch == 1 or batch * math.prod(grid) <= MOST_CELLS
    ]


def bench_operator(
    cases: Sequence[Case], device: torch.device, repeats: int = 7, compiled: bool = False
) -> Iterator[list[Measurement]]:
    """Measure the operator, its limits and its rivals, case by case; the contenders of a case take turns.

    Args:
        cases: grids with batch sizes, see `operator_cases`; other grids than those of ``GRIDS`` have 64 channels.
        device: where to measure.
        repeats: how often each contender is timed.
        compiled: whether to measure compiled versions too.

    Raises:
        WavezooError: if ``repeats`` or a batch size is not positive.
    """
    require_rounds(repeats, [batch for _, batch in cases])
    for grid, batch in cases:
        yield _measured(grid, batch, device, repeats, compiled)


def _measured(
    grid: tuple[int, ...], batch: int, device: torch.device, repeats: int, compiled: bool
) -> list[Measurement]:
    torch.manual_seed(0)
    torch._dynamo.reset()
    channels = GRIDS.get(grid, OTHER_CHANNELS)
    x = torch.randn(batch, channels, *grid, device=device, requires_grad=True)
    contenders = list(operator_contenders(x, compiled))
    times = timed_in_turn(contenders, clock_of(device), repeats)
    # The work of a compiled function is that of the function.
    eager = {each.name: each for each in contenders}
    return [
        _measurement(grid, batch, channels, each, eager[each.name.removesuffix(COMPILED)], times[each.name])
        for each in contenders
    ]


def _measurement(
    grid: tuple[int, ...], batch: int, channels: int, each: Contender, eager: Contender, times: Times
) -> Measurement:
    device = each.inputs[0].device
    forward = median(times.forward)
    work = work_of(eager.forward)
    numbers = sum(one.numel() for one in (*each.inputs, *each.parameters)) + each.inputs[0].numel()
    share = measured_limits(device).share(forward.ms / 1e3, 4 * numbers, work.operations)
    peak = clock_of(device).peak_mib(each.both)
    return Measurement(grid, batch, channels, each.name, *forward, *median(times.both), kept_mib(each), peak, *share)
