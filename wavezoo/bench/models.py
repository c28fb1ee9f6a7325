"""Image models beside timm's of their size: parameters, work, activations and speed."""

import functools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import timm
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode, flop_registry

from wavezoo.bench.timing import Contender, kept_mib, median_and_spread, timed_in_turn
from wavezoo.errors import WavezooError, not_allowed

SIZES = ("wavepde_pico", "wavepde_nano", "wavepde_tiny", "wavepde_small", "wavepde_base")
# Families to compare with; of each, the member whose parameters are nearest.
RIVALS = (
    tuple(f"convnext_{size}" for size in ("atto", "femto", "pico", "nano", "tiny", "small", "base")),
    tuple(f"poolformerv2_{size}" for size in ("s12", "s24", "s36", "m36", "m48")),
)


@dataclass(frozen=True)
class ModelMeasurement:
    """One model on images of one size.

    Attributes:
        name: its name in timm.
        parameters: their number, in millions, with 1000 classes.
        gmacs: multiplications with addition of one image, in billions: those of convolutions, matrix products and
            attention, and half the ``2.5 N log2 N`` operations of a real Fourier transform; elementwise ones are not
            counted, as is customary.
        activations: numbers that convolutions, matrix products, attention and transforms put out, in millions.
        kept_mib: what a forward pass keeps for the backward pass, by image, parameters aside.
        forward_images_per_s: median, without gradients.
        training_images_per_s: the same of a forward and a backward pass.
        spread: interquartile range of the time of forward and backward, as a fraction of its median.
    """

    name: str
    parameters: float
    gmacs: float
    activations: float
    kept_mib: float
    forward_images_per_s: float
    training_images_per_s: float
    spread: float


def bench_models(
    names: Sequence[str], device: torch.device, size: int = 224, batch: int = 2, repeats: int = 3
) -> Iterator[list[ModelMeasurement]]:
    """Measure models, each with the two of timm's nearest to it in parameters; the three take turns.

    Args:
        names: image models of ours.
        device: where to measure.
        size: side of the images.
        batch: images at a time.
        repeats: how often each is timed.

    Raises:
        WavezooError: if there is no such model, or if a number is not positive.
    """
    for what, value in (("size", size), ("batch", batch), ("repeats", repeats)):
        if value < 1:
            raise WavezooError(f"{what} is {value!r}; give a number, at least 1.")
    for name in names:
        if name not in timm.list_models("wavepde*"):
            raise not_allowed("model", name, timm.list_models("wavepde*"))
    for name in names:
        ours = _parameters(name)
        rivals = [min(family, key=lambda each: abs(math.log(_parameters(each) / ours))) for family in RIVALS]
        yield _measured([name, *rivals], torch.empty(batch, 3, size, size, device=device).normal_(), repeats)


def _measured(names: Sequence[str], x: Tensor, repeats: int) -> list[ModelMeasurement]:
    contenders = []
    for name in names:
        torch.manual_seed(0)
        model = timm.create_model(name, device=x.device)
        contenders.append(Contender(name, model, (x,), tuple(model.parameters())))
    weight = torch.ones(len(x), 1000, device=x.device)
    forward, both = timed_in_turn(contenders, weight, repeats)
    measured = []
    for each in contenders:
        macs, activations = _work(each.name, x.shape[-1])
        median, spread = median_and_spread(both[each.name])
        measured.append(
            ModelMeasurement(
                each.name,
                _parameters(each.name) / 1e6,
                macs / 1e9,
                activations / 1e6,
                kept_mib(each) / len(x),
                1e3 * len(x) / median_and_spread(forward[each.name])[0],
                1e3 * len(x) / median,
                spread / median,
            )
        )
    return measured


@functools.cache
def _parameters(name: str) -> int:
    return sum(each.numel() for each in timm.create_model(name, device="meta").parameters())


def _transform_flops(shape: Sequence[int], axes: Sequence[int], *args: Any, out_shape: Sequence[int], **_: Any) -> int:
    """Return the operations of a real Fourier transform between ``shape`` and ``out_shape`` over ``axes``."""
    cells = [max(shape[axis], out_shape[axis]) for axis in axes]
    lines = math.prod(shape) // math.prod(shape[axis] for axis in axes)
    return int(lines * 2.5 * math.prod(cells) * math.log2(max(2, math.prod(cells))))


COUNTED = {
    torch.ops.aten._fft_r2c: _transform_flops,
    torch.ops.aten._fft_c2r: _transform_flops,
}


class _Outputs(TorchDispatchMode):
    """Counts the numbers that the operations put out whose work is counted."""

    def __init__(self) -> None:
        super().__init__()
        self.numbers = 0

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        output = function(*args, **(kwargs or {}))
        packet = function.overloadpacket
        if packet in flop_registry or packet in COUNTED:
            first = output[0] if isinstance(output, (tuple, list)) else output
            self.numbers += first.numel()
        return output


def _work(name: str, size: int) -> tuple[float, int]:
    """Return multiplications with addition, and activations, of one image."""
    model = timm.create_model(name, device="meta").eval()
    image = torch.empty(1, 3, size, size, device="meta")
    with torch.no_grad():
        with _Outputs() as outputs:
            model(image)
        with FlopCounterMode(display=False, custom_mapping=COUNTED) as counter:
            model(image)
    return counter.get_total_flops() / 2, outputs.numbers
