"""What backbones on images and on sequences have in common."""

import inspect
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import nn

from wavezoo.config.spec import OPERATOR_CHOICES, PRESETS
from wavezoo.errors import WavezooError, nearest_first, not_allowed, require_positive
from wavezoo.wave.operator import WaveOperator

# With the two 1x1 convolutions around the mixer, this gives a model the parameters of the ConvNeXt of its stage plan.
MLP_RATIO = 2.875

# What a wave operator calls its own and an optimiser should leave without weight decay: the physics.
PHYSICAL = ("log_dt", "speed", "damping_field", "laplacian", "potential", "drift")


class Backbone(nn.Module):
    """A model of wave blocks with a head that ends in ``head.fc``."""

    def get_classifier(self) -> nn.Module:
        """Return the classifier."""
        return self.head.fc  # type: ignore[union-attr, return-value]

    @torch.jit.ignore
    def set_grid_spacing(self, spacing: float) -> None:
        """Say how fine the inputs are, compared with those that the model was trained on.

        Wave operators keep their physics (`WaveOperator.set_grid_spacing`), convolutions the distance of their taps, in
        units of the image or the sequence. Windows of the mixers ``pooling`` and ``global_filter`` stay as they are.

        Args:
            spacing: distance of two pixels or tokens in units of that in training: 0.5 for images of twice the size.

        Raises:
            WavezooError: if ``spacing`` is not positive, or if a Laplacian knows one grid only.
        """
        require_positive("grid spacing", spacing)
        for module in self.modules():
            if module is not self and callable(space := getattr(module, "set_grid_spacing", None)):
                space(spacing)

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
    def no_weight_decay(self) -> set[str]:
        """Return the names of the physical parameters: time steps and those of the schemes."""
        return {
            f"{prefix}.{name}"
            for prefix, module in self.named_modules()
            if isinstance(module, WaveOperator)
            for name, _ in module.named_parameters()
            if name.partition(".")[0] in PHYSICAL
        }


def check_operator_choices(model: type[Backbone], choices: Mapping[str, Any]) -> None:
    """Raise TypeError, as Python does for an unknown keyword, unless all choices are those of a wave operator."""
    for choice in choices:
        if choice not in OPERATOR_CHOICES:
            known = [*OPERATOR_CHOICES, *inspect.signature(model).parameters]
            near = ", ".join(nearest_first(choice, known)[:3])
            raise TypeError(
                f"{model.__name__} got an unexpected keyword argument {choice!r}; the nearest it knows: {near}"
            )


def check_settings(
    preset: str, mlp_ratio: float, drop_rate: float, drop_path_rate: float, **counts: int | Sequence[int]
) -> None:
    """Check what every backbone takes.

    Args:
        preset: name of the preset.
        mlp_ratio: hidden channels of the MLPs.
        drop_rate: dropout.
        drop_path_rate: stochastic depth.
        **counts: whole numbers, at least 1, or sequences of them.

    Raises:
        WavezooError: naming the setting that cannot work.
    """
    if preset not in PRESETS:
        raise not_allowed("preset", preset, PRESETS)
    require_positive("mlp_ratio", mlp_ratio)
    for what, rate in (("drop_rate", drop_rate), ("drop_path_rate", drop_path_rate)):
        if not 0 <= rate < 1:
            raise WavezooError(f"{what} is {rate!r}; give a rate from 0 to less than 1.")
    for what, values in counts.items():
        for value in [values] if isinstance(values, int) else values:
            if not isinstance(value, int) or value < 1:
                raise WavezooError(f"{what} is {values!r}; give whole numbers, at least 1.")
