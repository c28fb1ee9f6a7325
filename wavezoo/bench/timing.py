"""Timing and memory of one function after another, in one run."""

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor
from torch.autograd.graph import saved_tensors_hooks


@dataclass(frozen=True)
class Contender:
    """A function, differentiated with respect to ``parameters`` and those of ``inputs`` that need a gradient."""

    name: str
    function: Callable[..., Tensor]
    inputs: tuple[Tensor, ...]
    parameters: tuple[Tensor, ...]


def forward_seconds(contender: Contender) -> float:
    """Return the time of a forward pass without gradients."""
    with torch.no_grad():
        start = _now(contender.inputs[0].device)
        contender.function(*contender.inputs)
        return _now(contender.inputs[0].device) - start


def both_seconds(contender: Contender, weight: Tensor) -> float:
    """Return the time of a forward and a backward pass from the gradient ``weight`` of the output."""
    wanted = [each for each in (*contender.inputs, *contender.parameters) if each.requires_grad]
    start = _now(weight.device)
    torch.autograd.grad(contender.function(*contender.inputs), wanted, weight, allow_unused=True)
    return _now(weight.device) - start


def _now(device: torch.device) -> float:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter()


def timed_in_turn(
    contenders: Sequence[Contender], weight: Tensor, repeats: int
) -> tuple[dict[str, list[float]], dict[str, list[float]]]:
    """Return the times of forward passes, and of forward and backward ones, by contender; each round times them all."""
    forward: dict[str, list[float]] = {each.name: [] for each in contenders}
    both: dict[str, list[float]] = {each.name: [] for each in contenders}
    # The first round warms up, and compiles.
    for round_ in range(repeats + 1):
        for each in contenders:
            seconds = forward_seconds(each), both_seconds(each, weight)
            if round_:
                forward[each.name].append(seconds[0])
                both[each.name].append(seconds[1])
    return forward, both


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
    return sum(storage.nbytes() for storage in kept.values()) / 2**20


def median_and_spread(seconds: Sequence[float]) -> tuple[float, float]:
    """Return median and interquartile range, in milliseconds."""
    if len(seconds) == 1:
        return 1e3 * seconds[0], 0.0
    low, median, high = statistics.quantiles(seconds, n=4, method="inclusive")
    return 1e3 * median, 1e3 * (high - low)


def as_records(measurements: Sequence[Any]) -> list[dict[str, Any]]:
    """Return measurements as plain values for JSON."""
    return [asdict(each) for each in measurements]
