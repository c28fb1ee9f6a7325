"""Benchmarks of the wave operator against a naive one and against other mixers, all in one run.

Shapes: B batch, C channels, ``*G`` grid.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch

from wavezoo.bench.clock import clock_of, measured_limits
from wavezoo.bench.contenders import COMPILED, operator_contenders
from wavezoo.bench.timing import Contender, Cost, costs, require_grids, require_rounds
from wavezoo.bench.work import work_of
from wavezoo.errors import not_allowed

# Channels on each grid, as in the stages of a backbone, and the batches that are measured by default: attention on more
# takes minutes on a CPU.
GRIDS: dict[tuple[int, ...], tuple[int, tuple[int, ...]]] = {
    (14, 14): (384, (1, 2, 16)),
    (28, 28): (192, (1, 2, 16)),
    (56, 56): (96, (1, 2)),
    (1024,): (128, (1, 2, 8)),
    (4096,): (128, (1, 2)),
    (16384,): (64, (1,)),
}
OTHER = (64, (1, 2, 16))


@dataclass(frozen=True)
class Measurement:
    """One contender on one grid.

    Attributes:
        grid: the grid.
        batch: B.
        channels: C.
        contender: what was measured.
        cost: its time and memory.
        limit_share: of the forward pass: the share of the nearer limit of the device that it reaches.
        limited_by: which limit that is, ``"memory"`` or ``"compute"``.
    """

    grid: tuple[int, ...]
    batch: int
    channels: int
    contender: str
    cost: Cost
    limit_share: float
    limited_by: str


Case = tuple[tuple[int, ...], int]


def operator_cases(grids: Sequence[tuple[int, ...]] = (), batches: Sequence[int] = ()) -> list[Case]:
    """Return grids with batch sizes.

    Args:
        grids: those of ``GRIDS`` by default.
        batches: those of ``GRIDS`` by default, 1, 2 and 16 on other grids.

    Raises:
        WavezooError: if a grid is neither a line nor a rectangle.
    """
    require_grids(grids)
    return [(grid, batch) for grid in (grids or GRIDS) for batch in (batches or GRIDS.get(grid, OTHER)[1])]


def bench_operator(
    cases: Sequence[Case], device: torch.device, repeats: int = 7, compiled: bool = False, only: Sequence[str] = ()
) -> Iterator[list[Measurement]]:
    """Measure the operator, its limits and its rivals, case by case; the contenders of a case take turns.

    Args:
        cases: grids with batch sizes, see `operator_cases`; other grids than those of ``GRIDS`` have 64 channels.
        device: where to measure.
        repeats: how often each contender is timed.
        compiled: whether to measure compiled versions too.
        only: texts; contenders in whose names none of them stands are left out.

    Raises:
        WavezooError: if ``repeats`` or a batch size is not positive, or if a text stands in no name.
    """
    require_rounds(repeats, [batch for _, batch in cases])
    for grid, batch in cases:
        yield _measured(grid, batch, device, repeats, compiled, only)


def _measured(
    grid: tuple[int, ...], batch: int, device: torch.device, repeats: int, compiled: bool, only: Sequence[str]
) -> list[Measurement]:
    torch.manual_seed(0)
    torch._dynamo.reset()
    channels = GRIDS.get(grid, OTHER)[0]
    x = torch.randn(batch, channels, *grid, device=device, requires_grad=True)
    contenders = _chosen(list(operator_contenders(x, compiled)), only)
    found = costs(contenders, clock_of(device), repeats)
    # The work of a compiled function is that of the function.
    work = {each.name: each for each in operator_contenders(x, False)}
    return [
        Measurement(
            grid, batch, channels, each.name, found[each.name], *_share(each, work[_eager(each)], found[each.name])
        )
        for each in contenders
    ]


def _chosen(contenders: Sequence[Contender], only: Sequence[str]) -> list[Contender]:
    """Return the contenders in whose names one of the texts of ``only`` stands; all, if there are none."""
    for text in only:
        if not any(text in each.name for each in contenders):
            raise not_allowed("only", text, [each.name for each in contenders])
    return [each for each in contenders if not only or any(text in each.name for text in only)]


def _eager(contender: Contender) -> str:
    return contender.name.removesuffix(COMPILED)


def _share(each: Contender, eager: Contender, cost: Cost) -> tuple[float, str]:
    """Return the share of the nearer limit of the device that a forward pass reaches, and which it is."""
    numbers = sum(one.numel() for one in (*each.inputs, *each.parameters)) + each.inputs[0].numel()
    inputs = [one.detach() for one in eager.inputs]
    limits = measured_limits(each.inputs[0].device)
    return limits.share(cost.forward_ms / 1e3, 4 * numbers, work_of(lambda: eager.function(*inputs)).operations)
