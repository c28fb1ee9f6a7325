"""What backbones on images, maps and sequences have in common."""

import inspect
from collections.abc import Iterator, Mapping
from typing import Any, SupportsIndex

import torch
from torch import nn

from wavezoo.config.options import plain
from wavezoo.config.presets import OPERATOR_CHOICES, PRESETS
from wavezoo.config.spec import OperatorChoices
from wavezoo.errors import WavezooError, nearest_first, require_positive, require_whole, shown
from wavezoo.wave.convolution import check_grid_spacing

# With the two 1x1 convolutions around the mixer, this gives a model the parameters of the ConvNeXt of its stage plan.
WIDEST_RATIO = 1024
MLP_RATIO = 2.875


class Backbone(nn.Module):
    """A model of wave blocks with a head that ends in ``head.fc``."""

    head: nn.Module

    def get_classifier(self) -> nn.Module:
        """Return the classifier."""
        return self.head.get_submodule("fc")

    @torch.jit.ignore
    def set_grid_spacing(self, spacing: float) -> None:
        """Say how fine the inputs are, compared with those that the model was trained on.

        Wave operators keep their physics (`WaveOperator.set_grid_spacing`), convolutions the distance of their taps, in
        units of the image or the sequence. Windows of the mixers ``pooling`` and ``global_filter`` stay as they are.

        Args:
            spacing: distance of two pixels or tokens in units of that in training: 0.5 for images of twice the size.

        Raises:
            WavezooError: unless ``spacing`` lies between 1/256 and 256, or if a Laplacian knows one grid only.
        """
        check_grid_spacing(spacing)
        _set_grid_spacing(self, spacing)

    @torch.jit.ignore
    def init_weights(self) -> None:
        """Draw all parameters anew, as a fresh model has them."""
        # A module's children first: it may set their weights in its own way.
        for module in reversed(list(self.modules())):
            if callable(reset := getattr(module, "reset_parameters", None)):
                reset()

    @torch.jit.ignore
    def init_non_persistent_buffers(self) -> None:
        """Fill the buffers that no checkpoint holds, after a model on the meta device was given memory."""
        for module in self.modules():
            if module is not self and callable(fill := getattr(module, "init_non_persistent_buffers", None)):
                fill()

    @torch.jit.ignore
    def physical_parameters(self) -> Iterator[nn.Parameter]:
        """Yield the parameters that are physics, each once: those that a layer declares by a method of this name."""
        seen: set[int] = set()
        for module in self.modules():
            if module is self or not callable(declared := getattr(module, "physical_parameters", None)):
                continue
            for parameter in declared():
                if id(parameter) not in seen:
                    seen.add(id(parameter))
                    yield parameter

    @torch.jit.ignore
    def no_weight_decay(self) -> set[str]:
        """Return the names of the physical parameters: time steps and those of the schemes."""
        physical = {id(parameter) for parameter in self.physical_parameters()}
        return {name for name, parameter in self.named_parameters() if id(parameter) in physical}


def _set_grid_spacing(module: nn.Module, spacing: float) -> None:
    # A stage that does not reduce its maps as it did in training says how much finer they are.
    scales = getattr(module, "grid_scales", {})
    for name, child in module.named_children():
        own = spacing * scales.get(name, 1.0)
        if callable(space := getattr(child, "set_grid_spacing", None)):
            space(own)
        _set_grid_spacing(child, own)


def check_operator_choices(model: type[Backbone], choices: Mapping[str, Any]) -> None:
    """Raise TypeError, as Python does for an unknown keyword, unless all choices are those of a wave operator."""
    for choice in choices:
        if choice not in OPERATOR_CHOICES:
            known = [*OPERATOR_CHOICES, *inspect.signature(model).parameters]
            near = ", ".join(nearest_first(choice, known)[:3])
            raise TypeError(
                f"{model.__name__} got an unexpected keyword argument {choice!r}; the nearest it knows: {near}"
            )


def with_reach(preset: str, choices: OperatorChoices, cells: int | None) -> OperatorChoices:
    """Return the choices of a wave operator with a reach of half the grid, unless they say how far it is to look.

    Args:
        preset: name of the preset.
        choices: in place of the preset's.
        cells: number of cells along an axis; None where it is not known, which leaves the preset's reach.
    """
    base = PRESETS.get(preset)
    if cells is None or base is None or not base.reaches_far or {"reach", "steps"} & set(choices):
        return choices
    return {**choices, "reach": max(cells / 2, 1.0)}


def check_rates(mlp_ratio: float, **rates: float) -> None:
    """Raise WavezooError unless ``mlp_ratio`` lies above 0 and up to 1024, and every rate from 0 to less than 1."""
    require_positive("mlp_ratio", _number("mlp_ratio", mlp_ratio))
    if mlp_ratio > WIDEST_RATIO:
        raise WavezooError(f"mlp_ratio is {shown(mlp_ratio)}; give a number up to {WIDEST_RATIO}.")
    for what, rate in rates.items():
        if not 0 <= _number(what, rate) < 1:
            raise WavezooError(f"{what} is {shown(rate)}; give a rate from 0 to less than 1.")


def counts(what: str, values: object) -> tuple[int, ...]:
    """Return ``values`` as whole numbers.

    Raises:
        WavezooError: unless they are whole numbers, each at least 1.
    """
    values = plain(values)
    if not isinstance(values, (list, tuple)) or not values:
        raise WavezooError(f"{what} is {shown(values)}; give one whole number for each stage, at least 1.")
    return tuple(require_whole(what, value) for value in values)


def outputs(num_classes: SupportsIndex) -> int:
    """Return a number of classes as Python's.

    Raises:
        WavezooError: unless it is a whole number, at least 0.
    """
    return require_whole("num_classes", num_classes, 0)


def drop_path_rates(rate: float, depth: int) -> list[float]:
    """Return the rate of stochastic depth of each of ``depth`` blocks, from 0 at the first to ``rate`` at the last."""
    return [rate * block / max(depth - 1, 1) for block in range(depth)]


def check_placement(device: object, dtype: object) -> None:
    """Check where and how parameters are to be kept.

    Raises:
        WavezooError: if there is no such device here, or if ``dtype`` is not one of real numbers.
    """
    if dtype is not None and not (isinstance(dtype, torch.dtype) and dtype.is_floating_point):
        raise WavezooError(f"dtype is {shown(dtype)}; give one of real numbers, such as torch.float32.")
    try:
        if device is not None:
            torch.empty(0, device=device)  # type: ignore[call-overload]
    # What torch raises depends on how the device is missing.
    except (RuntimeError, AssertionError, TypeError, ValueError, NotImplementedError) as error:
        reason = str(error).partition("\n")[0]
        raise WavezooError(f"device is {shown(device)}: {reason} Use another, such as cpu.") from error


def _number(what: str, value: object) -> float:
    number = plain(value)
    if isinstance(number, bool) or not isinstance(number, (int, float)):
        raise WavezooError(f"{what} is {shown(value)}; give a number.")
    return number
