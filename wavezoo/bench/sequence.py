"""How time and memory of a sequence model grow with the length."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch

from wavezoo.bench.clock import clock_of
from wavezoo.bench.contenders import COMPILED, FUSED, UNFUSED, attention_modes, heads_of, presets, with_attention
from wavezoo.bench.timing import Contender, Cost, costs, require_rounds
from wavezoo.errors import WavezooError
from wavezoo.models.registry import create_sequence_model

LENGTHS = (1024, 4096, 16384)
BATCHES = (1, 2, 16)
# Positions of a batch in the cases that are measured by default: attention on more takes minutes on a CPU.
MOST_POSITIONS = 16384
MIXERS = ("wave", "attention")
Case = tuple[int, int]


@dataclass(frozen=True)
class LengthMeasurement:
    """One mixer at one length.

    Attributes:
        mixer: the mixer; for the wave with the preset, for attention with how torch runs it.
        length: N.
        batch: B.
        cost: its time and memory.
    """

    mixer: str
    length: int
    batch: int
    cost: Cost


def sequence_cases(lengths: Sequence[int] = (), batches: Sequence[int] = ()) -> list[Case]:
    """Return lengths with batch sizes.

    Args:
        lengths: 1,024, 4,096 and 16,384 by default.
        batches: 1, 2 and 16 by default, as far as a batch has no more than 16,384 positions.
    """
    return [
        (length, batch)
        for batch in (batches or BATCHES)
        for length in (lengths or LENGTHS)
        if batches or batch == 1 or batch * length <= MOST_POSITIONS
    ]


def bench_sequence(
    name: str,
    mixers: Sequence[str],
    cases: Sequence[Case],
    device: torch.device,
    repeats: int = 5,
    compiled: bool = False,
    chosen: Sequence[str] = (),
) -> Iterator[list[LengthMeasurement]]:
    """Measure a sequence model with each mixer, case by case; the mixers take turns.

    Args:
        name: the model.
        mixers: names of mixers; the wave is measured with each preset, attention fused and unfused.
        cases: lengths with batch sizes, see `sequence_cases`.
        device: where to measure.
        repeats: how often each is timed.
        compiled: whether to measure compiled versions too.
        chosen: presets of the wave; all by default.

    Raises:
        WavezooError: if there is no such model or mixer, or if a number is not positive.
    """
    require_rounds(repeats, [batch for _, batch in cases])
    if min(length for length, _ in cases) < 1:
        raise WavezooError(f"lengths are {sorted({length for length, _ in cases})}; give numbers, at least 1.")
    for length, batch in cases:
        torch._dynamo.reset()
        x = torch.randn(batch, length, 1, device=device)
        contenders = list(_contenders(name, mixers, x, compiled, chosen or presets()))
        found = costs(contenders, clock_of(device), repeats)
        yield [LengthMeasurement(each.name, length, batch, found[each.name]) for each in contenders]


def _contenders(
    name: str, mixers: Sequence[str], x: torch.Tensor, compiled: bool, chosen: Sequence[str]
) -> Iterator[Contender]:
    settings = [(mixer, preset) for mixer in mixers for preset in (chosen if mixer == "wave" else (None,))]
    for mixer, preset in settings:
        for fused in (True, False) if mixer == "attention" else (True,):
            torch.manual_seed(0)
            options = {"mixer": mixer} | ({} if preset in (None, presets()[0]) else {"preset": preset})
            model = create_sequence_model(name, in_features=1, num_classes=10, device=x.device, **options)
            called = f"{mixer}, {preset}" if preset else mixer
            functions = {"": model} | ({COMPILED: torch.compile(model)} if compiled else {})
            if mixer == "attention":
                if fused not in attention_modes(heads_of(model), x.mT):
                    continue
                called = FUSED if fused else UNFUSED
                functions = {suffix: with_attention(each, fused) for suffix, each in functions.items()}
            for suffix, function in functions.items():
                yield Contender(called + suffix, function, (x,), tuple(model.parameters()))


def exponent(lengths: Sequence[float], values: Sequence[float]) -> float:
    """Return the slope of ``log value`` over ``log length``, by least squares."""
    x, y = ([math.log(each) for each in column] for column in (lengths, values))
    mean_x, mean_y = sum(x) / len(x), sum(y) / len(y)
    products = sum((a - mean_x) * (b - mean_y) for a, b in zip(x, y, strict=True))
    return products / sum((a - mean_x) ** 2 for a in x)
