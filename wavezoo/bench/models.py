"""Image models beside timm's of their size: parameters, work, activations and speed."""

import functools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import timm
import torch
from torch import nn

from wavezoo.bench.clock import clock_of, measured_limits
from wavezoo.bench.contenders import COMPILED, presets
from wavezoo.bench.timing import Contender, kept_mib, median, require_rounds, timed_in_turn
from wavezoo.bench.work import work_of
from wavezoo.config.presets import find_preset
from wavezoo.errors import WavezooError, not_allowed

MODELS = ("wavepde_pico", "wavepde_nano", "wavepde_tiny")
BATCHES = (1, 2, 16)
# Families to compare with; of each, the member whose parameters are nearest. The first is the baseline.
RIVALS = (
    tuple(f"convnext_{size}" for size in ("atto", "femto", "pico", "nano", "tiny", "small", "base")),
    tuple(f"poolformerv2_{size}" for size in ("s12", "s24", "s36", "m36", "m48")),
)


@dataclass(frozen=True)
class ModelMeasurement:
    """One model on images of one size.

    Attributes:
        name: its name in timm; behind a comma its preset, if it is not the default one, and whether it is compiled.
        baseline: the ConvNeXt of its size.
        batch: images at a time.
        parameters: their number, in millions, with 1000 classes.
        gmacs: multiplications with addition of one image, in billions, see `wavezoo.bench.work.Work`, two operations to one.
        activations: numbers that convolutions, matrix products, attention and transforms put out, in millions.
        kept_mib: what a forward pass keeps for the backward pass, by image, parameters aside.
        peak_mib: the most memory that a forward and a backward pass hold; None where the device does not tell.
        forward_images_per_s: median, without gradients.
        training_images_per_s: the same of a forward and a backward pass.
        spread: interquartile range of the time of forward and backward, as a fraction of its median.
        limit_share: of the forward pass: the share of the nearer limit of the device that it reaches.
        limited_by: which limit that is, ``"bandwidth"`` or ``"arithmetic"``.
    """

    name: str
    baseline: str
    batch: int
    parameters: float
    gmacs: float
    activations: float
    kept_mib: float
    peak_mib: float | None
    forward_images_per_s: float
    training_images_per_s: float
    spread: float
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
        chosen: presets to build the models with; all by default, that of the models first.
        compiled: whether to measure compiled versions too.

    Raises:
        WavezooError: if there is no such model or preset, or if a number is not positive.
    """
    require_rounds(repeats, batches)
    if size < 1:
        raise WavezooError(f"size is {size!r}; give a number, at least 1.")
    for name in names:
        if name not in timm.list_models("wavepde*"):
            raise not_allowed("model", name, timm.list_models("wavepde*"))
    for preset in chosen:
        find_preset(preset)
    for name in names:
        ours = _parameters(name, None)
        rivals = [min(family, key=lambda each: abs(math.log(_parameters(each, None) / ours))) for family in RIVALS]
        # A model whose name says its preset is measured as it is.
        own = [None] if name.endswith("_paper") else [*(chosen or presets())]
        built = [(name, preset) for preset in own] + [(rival, None) for rival in rivals]
        for batch in batches:
            yield _measured(built, rivals[0], batch, size, device, repeats, compiled)


def _measured(
    built: Sequence[tuple[str, str | None]],
    baseline: str,
    batch: int,
    size: int,
    device: torch.device,
    repeats: int,
    compiled: bool,
) -> list[ModelMeasurement]:
    torch._dynamo.reset()
    x = torch.randn(batch, 3, size, size, device=device)
    contenders, origins = [], {}
    for name, preset in built:
        torch.manual_seed(0)
        model = _model(name, preset, device)
        shown = name if preset in (None, presets()[0]) else f"{name}, {preset}"
        functions = {shown: model} | ({shown + COMPILED: torch.compile(model)} if compiled else {})
        for called, function in functions.items():
            contenders.append(Contender(called, function, (x,), tuple(model.parameters())))
            origins[called] = (name, preset)
    times = timed_in_turn(contenders, clock_of(device), repeats)
    measured = []
    for each in contenders:
        parameters = _parameters(*origins[each.name])
        operations, outputs = _work(*origins[each.name], size)
        forward, both = median(times[each.name].forward), median(times[each.name].both)
        moved = 4 * (x.numel() + parameters)
        share, limited_by = measured_limits(device).share(forward.ms / 1e3, moved, batch * operations)
        measured.append(
            ModelMeasurement(
                each.name,
                baseline,
                batch,
                parameters / 1e6,
                operations / 2e9,
                outputs / 1e6,
                kept_mib(each) / batch,
                clock_of(device).peak_mib(each.both),
                1e3 * batch / forward.ms,
                1e3 * batch / both.ms,
                both.spread_ms / both.ms,
                share,
                limited_by,
            )
        )
    return measured


def _model(name: str, preset: str | None, device: torch.device | str) -> nn.Module:
    options = {} if preset in (None, presets()[0]) else {"preset": preset}
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
