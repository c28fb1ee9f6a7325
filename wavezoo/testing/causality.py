"""Whether an output depends on later inputs, measured."""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from wavezoo.testing.assertions import ROUNDING_UNITS, random_input, require


def check_causal(function: Callable[[Tensor], Tensor], x: Tensor, axis: int = -1, output_axis: int = -1) -> None:
    """Raise AssertionError if an output of a module depends on inputs at later positions.

    Measured three times: by the gradient of every position; by new values for all that comes after it, which a module
    that hides from gradients would betray; and by NaN as the last input, which must leave earlier outputs finite: a
    module that multiplies what is to come with zeros hands it on. In the first two, what is left of rounding, as in a
    convolution by Fourier transform, counts as nothing. A module in training mode is measured in training mode.

    Args:
        function: the module, or any function of a tensor.
        x: an input, finite, with at least two positions; whole numbers, such as tokens, are measured by new values
            alone.
        axis: the axis of positions in ``x``.
        output_axis: the axis of positions in the output.
    """
    position = later_position_seen(function, x, axis, output_axis)
    require(position is None, f"the output at position {position} depends on later inputs")


def later_position_seen(
    function: Callable[[Tensor], Tensor], x: Tensor, axis: int = -1, output_axis: int = -1
) -> int | None:
    """Return the first position whose output depends on later inputs, or None; arguments as for `check_causal`."""
    x = x.detach()
    found = [_seen_by_value(function, x, axis, output_axis)]
    if x.is_floating_point():
        found.append(_seen_by_gradient(function, x, axis, output_axis))
        found.append(_nan_seen(function, x, axis, output_axis))
    return min((each for each in found if each is not None), default=None)


def _seen_by_gradient(function: Callable[[Tensor], Tensor], x: Tensor, axis: int, output_axis: int) -> int | None:
    x = x.clone().requires_grad_()
    output = function(x)
    if not output.requires_grad:
        return None
    weights = random_input(output.shape, seed=1).to(output)
    gradients = []
    for position in range(output.shape[output_axis] - 1):
        parts = (output * weights).select(output_axis, position)
        (gradient,) = torch.autograd.grad(parts.sum(), x, retain_graph=True, materialize_grads=True)
        gradients.append(gradient.movedim(axis, -1).abs())
    allowed = ROUNDING_UNITS * torch.finfo(x.dtype).eps * max(gradient.max().item() for gradient in gradients)
    for position, gradient in enumerate(gradients):
        if (gradient[..., position + 1 :] > allowed).any():
            return position
    return None


@torch.no_grad()
def _seen_by_value(function: Callable[[Tensor], Tensor], x: Tensor, axis: int, output_axis: int) -> int | None:
    output = function(x).movedim(output_axis, -1)
    allowed = ROUNDING_UNITS * torch.finfo(output.dtype).eps * output.abs().max()
    for position in range(x.shape[axis] - 1):
        lines = x.clone().movedim(axis, -1)
        later = lines[..., position + 1 :]
        # Tokens are known by their number only; another one that is sure to be among them stands at the start.
        lines[..., position + 1 :] = 1 - 2 * later if x.is_floating_point() else lines[..., :1].expand_as(later)
        after = function(lines.movedim(-1, axis)).movedim(output_axis, -1)
        if not ((after - output)[..., : position + 1].abs() <= allowed).all():
            return position
    return None


@torch.no_grad()
def _nan_seen(function: Callable[[Tensor], Tensor], x: Tensor, axis: int, output_axis: int) -> int | None:
    x = x.clone()
    x.select(axis, -1).fill_(math.nan)
    output = function(x).movedim(output_axis, -1)
    seen = output[..., :-1].isnan().reshape(-1, output.shape[-1] - 1).any(0).nonzero()
    return int(seen[0]) if len(seen) else None
