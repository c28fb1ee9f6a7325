"""Timing and memory of one function after another, in one run."""

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd.graph import saved_tensors_hooks

from wavezoo.bench.clock import MIB, Clock
from wavezoo.errors import WavezooError, require_whole

# After this time no round begins any more, once there were enough.
PATIENCE_SECONDS = 30.0
FEWEST_ROUNDS = 3


@dataclass(frozen=True)
class Contender:
    """A function, differentiated with respect to ``parameters`` and those of ``inputs`` that need a gradient."""

    name: str
    function: Callable[..., Tensor]
    inputs: tuple[Tensor, ...]
    parameters: tuple[Tensor, ...]

    def forward(self) -> Tensor:
        """Run a forward pass without gradients."""
        with torch.no_grad():
            return self.function(*self.inputs)

    def both(self) -> tuple[Tensor, ...]:
        """Run a forward and a backward pass from a gradient of ones, and return the gradients."""
        wanted = [each for each in (*self.inputs, *self.parameters) if each.requires_grad]
        output = self.function(*self.inputs)
        return torch.autograd.grad(output, wanted, torch.ones_like(output), allow_unused=True)


class Times(NamedTuple):
    """Seconds of each round: of forward passes without gradients, and of forward and backward ones."""

    forward: list[float]
    both: list[float]


@dataclass(frozen=True)
class Cost:
    """What a contender costs.

    Attributes:
        forward_ms: median time of a forward pass without gradients, in milliseconds.
        forward_spread_ms: its interquartile range.
        both_ms: median time of a forward and a backward pass.
        both_spread_ms: its interquartile range.
        rounds: how many there were.
        kept_mib: what a forward pass keeps for the backward pass, parameters aside, in MiB.
        peak_mib: the most memory that a forward and a backward pass hold; None where the device does not tell.
    """

    forward_ms: float
    forward_spread_ms: float
    both_ms: float
    both_spread_ms: float
    rounds: int
    kept_mib: float
    peak_mib: float | None


class Median(NamedTuple):
    """Median and interquartile range, in milliseconds."""

    ms: float
    spread_ms: float


def timed_in_turn(
    contenders: Sequence[Contender], clock: Clock, repeats: int, patience: float = PATIENCE_SECONDS
) -> dict[str, Times]:
    """Return the times of contenders by name; each round times them all.

    Args:
        contenders: what to time.
        clock: that of their device.
        repeats: number of rounds, beside one that warms up, and compiles.
        patience: seconds of rounds after which none begins any more, once there were three.
    """
    times = {each.name: Times([], []) for each in contenders}
    for each in contenders:
        each.forward()
        each.both()
    start = time.perf_counter()
    for round_ in range(repeats):
        if round_ >= FEWEST_ROUNDS and time.perf_counter() - start > patience:
            break
        for each in contenders:
            times[each.name].forward.append(clock.seconds(each.forward))
            times[each.name].both.append(clock.seconds(each.both))
    return times


def costs(contenders: Sequence[Contender], clock: Clock, repeats: int) -> dict[str, Cost]:
    """Return what contenders cost, by name; see `timed_in_turn`."""
    times = timed_in_turn(contenders, clock, repeats)
    return {
        each.name: Cost(
            *median(times[each.name].forward),
            *median(times[each.name].both),
            len(times[each.name].both),
            kept_mib(each),
            clock.peak_mib(each.both),
        )
        for each in contenders
    }


def kept_mib(contender: Contender) -> float:
    """Return the size of the distinct storages that a forward pass saves, those of parameters aside."""
    kept: dict[int, Any] = {}
    parameters = {each.untyped_storage().data_ptr() for each in contender.parameters}

    def pack(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in parameters:
            kept[storage.data_ptr()] = storage
        return tensor

    with saved_tensors_hooks(pack, lambda tensor: tensor):
        output = contender.function(*contender.inputs)
    del output
    return sum(storage.nbytes() for storage in kept.values()) / MIB


def median(seconds: Sequence[float]) -> Median:
    """Return median and interquartile range of ``seconds``, in milliseconds."""
    if len(seconds) == 1:
        return Median(1e3 * seconds[0], 0.0)
    low, middle, high = statistics.quantiles(seconds, n=4, method="inclusive")
    return Median(1e3 * middle, 1e3 * (high - low))


def require_rounds(repeats: int, batches: Sequence[int]) -> None:
    """Raise WavezooError unless ``repeats`` and ``batches`` are whole numbers, at least 1."""
    require_whole("repeats", repeats)
    for batch in batches:
        require_whole("batch", batch)
    if not batches:
        raise WavezooError("there is no batch size; give at least one.")


def require_grids(grids: Sequence[tuple[int, ...]]) -> None:
    """Raise WavezooError unless ``grids`` are lines and rectangles."""
    for grid in grids:
        if len(grid) not in (1, 2) or min(grid) < 1:
            raise WavezooError(f"grid {grid!r} is no line and no rectangle; give sizes such as 1024 or 28x28.")
