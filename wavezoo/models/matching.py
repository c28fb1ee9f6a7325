"""How wide the MLP of a block is: rules by name, so that models with different mixers can be compared."""

import functools
from collections.abc import Callable

import torch
from torch import nn

from wavezoo.config.spec import MixerSpec, mixer_spec
from wavezoo.errors import WavezooError, require_choice, shown
from wavezoo.models.placing import placed

# From channels, grid axes, the MLP's ratio, what builds the mixer, what stands in its slot, and the width asked of the
# convolution in front, to hidden channels.
Rule = Callable[[int, int, float, MixerSpec, nn.Module, int | None], int]


def hidden_channels(
    rule: str,
    channels: int,
    ndim: int,
    ratio: float,
    spec: MixerSpec,
    mixer: nn.Module,
    local_taps: int | None = None,
) -> int:
    """Return the number of hidden channels of a block's MLP.

    Args:
        rule: ``"parameters"``: with a wave operator, ``ratio`` times the channels; with a mixer of another kind as many
            as give the block the number of parameters that it has with the preset's wave operator. ``"width"``:
            ``ratio`` times the channels whatever the mixer.
        channels: number of channels C.
        ndim: number of grid axes.
        ratio: hidden channels as a multiple of C.
        spec: what builds the mixer.
        mixer: what stands in the mixer's slot.
        local_taps: width of the convolution in front of it, as for `placed`.

    Raises:
        WavezooError: if there is no such rule, or if the mixer leaves the MLP no parameters.
    """
    require_choice("matching", rule, RULES)
    return RULES[rule](channels, ndim, ratio, spec, mixer, local_taps)


def _by_width(channels: int, ndim: int, ratio: float, spec: MixerSpec, mixer: nn.Module, local_taps: int | None) -> int:
    return max(1, round(channels * ratio))


def _by_parameters(
    channels: int, ndim: int, ratio: float, spec: MixerSpec, mixer: nn.Module, local_taps: int | None
) -> int:
    hidden = round(channels * ratio)
    if spec.operator is not None:
        return max(1, hidden)
    spare = _parameters_with_wave(channels, ndim, spec.preset, local_taps) - count_parameters(mixer)
    hidden += round(spare / (2 * channels + 1))
    if hidden < 1:
        raise WavezooError(
            f"the mixer {spec.scheme.name} with {shown(dict(spec.scheme.options))} has {-spare:,} parameters more than "
            f"the wave operator, and a block of {channels} channels has not as many to take from its MLP. Give the "
            'mixer fewer, raise mlp_ratio, or set matching to "width".'
        )
    return hidden


RULES: dict[str, Rule] = {"parameters": _by_parameters, "width": _by_width}


def count_parameters(module: nn.Module) -> int:
    """Return the number of a module's parameters."""
    return sum(each.numel() for each in module.parameters())


@functools.cache
def _parameters_with_wave(channels: int, ndim: int, preset: str, local_taps: int | None) -> int:
    with torch.device("meta"):
        # A convolution that is only counted may be of any width.
        return count_parameters(placed(mixer_spec(preset=preset), channels, ndim, local_taps, causal=True))
