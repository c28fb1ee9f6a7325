"""How time and memory of a sequence model grow with the length."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch

from wavezoo.bench.timing import Contender, kept_mib, median_and_spread, timed_in_turn
from wavezoo.errors import WavezooError
from wavezoo.models.registry import create_sequence_model

LENGTHS = (1024, 2048, 4096, 8192, 16384)


@dataclass(frozen=True)
class LengthMeasurement:
    """One mixer at one length, a batch of one.

    Attributes:
        mixer: the mixer.
        length: N.
        both_ms: median time of a forward and a backward pass, in milliseconds.
        both_spread_ms: its interquartile range.
        kept_mib: what the forward pass keeps for the backward pass, parameters aside, in MiB.
    """

    mixer: str
    length: int
    both_ms: float
    both_spread_ms: float
    kept_mib: float


def bench_sequence(
    name: str, mixers: Sequence[str], lengths: Sequence[int], device: torch.device, repeats: int = 5
) -> Iterator[LengthMeasurement]:
    """Measure a sequence model with each mixer at each length; the mixers take turns.

    Args:
        name: the model.
        mixers: names of mixers.
        lengths: lengths N, at least two different ones for an exponent.
        device: where to measure.
        repeats: how often each is timed.

    Raises:
        WavezooError: if there is no such model or mixer, or if a number is not positive.
    """
    if repeats < 1 or min(lengths) < 1:
        raise WavezooError(f"repeats is {repeats!r} and lengths are {list(lengths)}; give numbers, at least 1.")
    torch.manual_seed(0)
    models = {
        mixer: create_sequence_model(name, in_features=1, num_classes=10, mixer=mixer, device=device)
        for mixer in mixers
    }
    weight = torch.ones(1, 10, device=device)
    for length in lengths:
        x = torch.randn(1, length, 1, device=device)
        contenders = [Contender(mixer, model, (x,), tuple(model.parameters())) for mixer, model in models.items()]
        _, both = timed_in_turn(contenders, weight, repeats)
        for each in contenders:
            yield LengthMeasurement(each.name, length, *median_and_spread(both[each.name]), kept_mib(each))


def exponent(lengths: Sequence[int], values: Sequence[float]) -> float:
    """Return the slope of ``log value`` over ``log length``, by least squares."""
    x, y = ([math.log(each) for each in column] for column in (lengths, values))
    mean_x, mean_y = sum(x) / len(x), sum(y) / len(y)
    products = sum((a - mean_x) * (b - mean_y) for a, b in zip(x, y, strict=True))
    return products / sum((a - mean_x) ** 2 for a in x)
