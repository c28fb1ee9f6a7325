"""Image models beside timm's of their size: parameters, work, activations and speed."""

import functools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import timm
import torch
from torch import nn

from wavezoo.bench.clock import clock_of, measured_limits
from wavezoo.bench.contenders import COMPILED, presets
from wavezoo.bench.timing import Contender, Cost, costs, require_rounds
from wavezoo.bench.work import work_of
from wavezoo.config.presets import find_preset
from wavezoo.errors import WavezooError, not_allowed
from wavezoo.models.variants import IMAGE

MODELS = ("wavepde_pico", "wavepde_nano", "wavepde_tiny")
BATCHES = (1, 2, 16)
# Other presets, and rivals beside the baseline, are measured in batches of this size, or if it is the only one.
FULL_BATCH = 2
# Families to compare with; of each, the member whose parameters are nearest. The first is the baseline.
RIVALS = (
    tuple(f"convnext_{size}" for size in ("atto", "femto", "pico", "nano", "tiny", "small", "base")),
    tuple(f"poolformerv2_{size}" for size in ("s12", "s24", "s36", "m36", "m48")),
)


@dataclass(frozen=True)
class ModelMeasurement:
    """One model on images of one size.

    Attributes:
        name: that of timm; behind a comma its preset, if it is not the default one, and whether it is compiled.
        baseline: the ConvNeXt of its size.
        batch: images at a time.
        parameters: their number, in millions, with 1000 classes.
        gmacs: multiplications with addition of one image, in billions, two operations of `wavezoo.bench.work` to one.
        activations: numbers that convolutions, matrix products, attention and transforms put out, in millions.
        cost: time and memory of a batch.
        limit_share: of the forward pass: the share of the nearer limit of the device that it reaches.
        limited_by: which limit that is, ``"memory"`` or ``"compute"``.
    """

    name: str
    baseline: str
    batch: int
    parameters: float
    gmacs: float
    activations: float
    cost: Cost
    limit_share: float
    limited_by: str


def bench_models(
    names: Sequence[str],
    device: torch.device,
    size: int = 224,
    batches: Sequence[int] = BATCHES,
    repeats: int = 5,
    chosen: Sequence[str] = (),
    compiled: bool = False,
) -> Iterator[list[ModelMeasurement]]:
    """Measure models, each with the two of timm's nearest to it in parameters; they take turns.

    Args:
        names: image models of ours.
        device: where to measure.
        size: side of the images.
        batches: images at a time.
        repeats: how often each is timed.
        chosen: presets to build the models with; by default that of the models, and in batches of two all of them.
        compiled: whether to measure compiled versions too.

    Raises:
        WavezooError: if there is no such model or preset, or if a number is not positive.
    """
    require_rounds(repeats, batches)
    if size < 1:
        raise WavezooError(f"size is {size!r}; give a number, at least 1.")
    for name in names:
        if name not in IMAGE:
            raise not_allowed("model", name, IMAGE)
    for preset in chosen:
        find_preset(preset)
    for name in names:
        ours = _parameters(name, None)
        rivals = [min(family, key=lambda each: abs(math.log(_parameters(each, None) / ours))) for family in RIVALS]
        for batch in batches:
            full = batch == FULL_BATCH or len(batches) == 1
            # A model whose name says its preset is measured as it is.
            own = [None] if "preset" in IMAGE[name].settings else [*(chosen or presets()[: None if full else 1])]
            built = [(name, preset) for preset in own] + [(rival, None) for rival in rivals[: None if full else 1]]
            x = torch.randn(batch, 3, size, size, device=device)
            yield _measured(built, rivals[0], x, repeats, compiled)


def _measured(
    built: Sequence[tuple[str, str | None]], baseline: str, x: torch.Tensor, repeats: int, compiled: bool
) -> list[ModelMeasurement]:
    torch._dynamo.reset()
    contenders, origins = [], {}
    for name, preset in built:
        torch.manual_seed(0)
        model = _model(name, preset, x.device)
        shown = name if preset in (None, presets()[0]) else f"{name}, {preset}"
        functions = {shown: model} | ({shown + COMPILED: torch.compile(model)} if compiled else {})
        for called, function in functions.items():
            contenders.append(Contender(called, function, (x,), tuple(model.parameters())))
            origins[called] = (name, preset)
    found = costs(contenders, clock_of(x.device), repeats)
    return [_measurement(each.name, *origins[each.name], baseline, x, found[each.name]) for each in contenders]


def _measurement(
    called: str, name: str, preset: str | None, baseline: str, x: torch.Tensor, cost: Cost
) -> ModelMeasurement:
    parameters, (operations, outputs) = _parameters(name, preset), _work(name, preset, x.shape[-1])
    moved = 4 * (x.numel() + parameters)
    share = measured_limits(x.device).share(cost.forward_ms / 1e3, moved, len(x) * operations)
    numbers = (parameters / 1e6, operations / 2e9, outputs / 1e6)
    return ModelMeasurement(called, baseline, len(x), *numbers, cost, *share)


def _model(name: str, preset: str | None, device: torch.device | str) -> nn.Module:
    options: dict[str, Any] = {} if preset in (None, presets()[0]) else {"preset": preset}
    model: nn.Module = timm.create_model(name, device=device, **options)
    return model


@functools.cache
def _parameters(name: str, preset: str | None) -> int:
    return sum(each.numel() for each in _model(name, preset, "meta").parameters())


@functools.cache
def _work(name: str, preset: str | None, size: int) -> tuple[int, int]:
    """Return operations and outputs of one image."""
    model = _model(name, preset, "meta").eval()
    image = torch.empty(1, 3, size, size, device="meta")
    return work_of(lambda: model(image))
