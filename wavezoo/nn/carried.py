"""Layers that go on where they were left, from a state.

Shapes: B batch, C channels, N length, R reach into the past.
"""

import math

import torch
from torch import Tensor, nn

from wavezoo.errors import WavezooError
from wavezoo.wave.convolution import GridConv

# Tensors, the batch first in each.
State = tuple[Tensor, ...]


def initial_state(layer: nn.Module, batch: int) -> State:
    """Return the state of a layer before the first position of ``batch`` sequences.

    Raises:
        WavezooError: if it has none to go on from.
    """
    if not callable(start := getattr(layer, "initial_state", None)):
        raise WavezooError(
            f"{type(layer).__name__} has no state to go on from, and runs over whole sequences alone. Use a mixer that "
            "is a wavezoo.RecurrentMixer."
        )
    state: State = start(batch)
    return state


def no_past(conv: GridConv, batch: int) -> Tensor:
    """Return what stands before the first position, zeros ``(B, C, R)``."""
    # The tolerance keeps rounding of the spacing from adding an empty tap.
    reach = math.ceil(-conv.offsets[0] / conv.grid_spacing - 1e-6)
    return conv.conv.weight.new_zeros(batch, conv.conv.in_channels, reach)


def carried(conv: GridConv, x: Tensor, past: Tensor) -> tuple[Tensor, Tensor]:
    """Return the output at ``x`` of shape ``(B, C, N)`` after the last inputs ``(B, C, R)``, and the last ones now."""
    reach = past.shape[-1]
    inputs = torch.cat([past.to(x.dtype), x], -1)
    return conv(inputs)[..., reach:], inputs[..., inputs.shape[-1] - reach :]
