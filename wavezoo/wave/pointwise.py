"""1x1 convolutions by matrix product, of what is cheaper to compute again in the backward pass than to keep.

Shapes: B batch, C channels, ``*G`` grid; channels first, in memory best last.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from wavezoo.wave.precision import autocast_dtype

_fused_gelu_backward = torch.ops.aten.gelu_backward
_fused_silu_backward = torch.ops.aten.silu_backward


class Activation(NamedTuple):
    """A function of each element by itself.

    Attributes:
        function: of one or more tensors of one shape.
        pulled_back: from the gradient of its value and the same tensors, that of each of them.
        pushed_forward: from the tangent of each tensor and the tensors, that of its value.
    """

    function: Callable[..., Tensor]
    pulled_back: Callable[..., tuple[Tensor, ...]]
    pushed_forward: Callable[..., Tensor]


def _gated(x: Tensor, gate: Tensor) -> Tensor:
    return x * F.silu(gate)


def _gated_pulled_back(gradient: Tensor, x: Tensor, gate: Tensor) -> tuple[Tensor, ...]:
    # The fused pass has no derivative itself.
    slope = gradient * x * _silu_slope(gate) if torch.is_grad_enabled() else _fused_silu_backward(gradient * x, gate)
    return gradient * F.silu(gate), slope


def _gated_pushed_forward(of_x: Tensor, of_gate: Tensor, x: Tensor, gate: Tensor) -> Tensor:
    return torch.addcmul(of_gate * x * _silu_slope(gate), of_x, F.silu(gate))


def _silu_slope(x: Tensor) -> Tensor:
    sigmoid = torch.sigmoid(x)
    return sigmoid * (1 + x * (1 - sigmoid))


def _gelu_pulled_back(gradient: Tensor, x: Tensor) -> tuple[Tensor, ...]:
    return (_fused_gelu_backward(gradient, x),)


def _gelu_pushed_forward(of_x: Tensor, x: Tensor) -> Tensor:
    return _fused_gelu_backward(of_x, x)


ACTIVATIONS = {
    "gelu": Activation(F.gelu, _gelu_pulled_back, _gelu_pushed_forward),
    # The first tensor times the SiLU of the second.
    "gated": Activation(_gated, _gated_pulled_back, _gated_pushed_forward),
}


def pointwise(weight: Tensor, bias: Tensor | None, activation: Activation | None, *inputs: Tensor) -> Tensor:
    """Return the 1x1 convolution of an input, or of ``activation`` of some, which alone are kept for the backward pass.

    Every derivative works: backward and forward mode, their nesting and `torch.func.vmap`.

    Args:
        weight: of the convolution, ``(C', C, 1, ...)``.
        bias: likewise, ``(C',)``.
        activation: what is convolved; None for the only input.
        inputs: what it is of, each ``(B, C, *G)``.

    Returns:
        ``(B, C', *G)``, channels last in memory.
    """
    matrix, lines = weight.flatten(1), [each.movedim(1, -1) for each in inputs]
    if activation is None:
        return F.linear(lines[0], matrix, bias).movedim(-1, 1)
    # A compiler decides by itself what it computes again, and a tracer records single operations.
    if torch.compiler.is_compiling() or torch.jit.is_tracing() or not torch.is_grad_enabled():
        return F.linear(activation.function(*lines), matrix, bias).movedim(-1, 1)
    dtype = autocast_dtype(weight.device)
    if dtype is not None:
        lines = [each.to(dtype) for each in lines]
        matrix, bias = matrix.to(dtype), None if bias is None else bias.to(dtype)
    product: Tensor = _ProductOf.apply(activation, matrix, bias, *lines)
    return product.movedim(-1, 1)


class _ProductOf(torch.autograd.Function):
    generate_vmap_rule = True

    @staticmethod
    def forward(activation: Activation, weight: Tensor, bias: Tensor | None, *inputs: Tensor) -> Tensor:
        return F.linear(activation.function(*inputs), weight, bias)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        ctx.activation, weight, _, *others = inputs
        ctx.save_for_backward(weight, *others)
        ctx.save_for_forward(weight, *others)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        weight, *inputs = ctx.saved_tensors
        _, of_weight, of_bias, *of_inputs = ctx.needs_input_grad
        rows = gradient.reshape(-1, gradient.shape[-1])
        to_weight = rows.mT @ ctx.activation.function(*inputs).reshape(-1, weight.shape[1]) if of_weight else None
        to_inputs: tuple[Tensor | None, ...] = (None,) * len(inputs)
        if any(of_inputs):
            to_inputs = ctx.activation.pulled_back((rows @ weight).view_as(inputs[0]), *inputs)
        return None, to_weight, rows.sum(0) if of_bias else None, *to_inputs

    @staticmethod
    def jvp(ctx: Any, _: None, of_weight: Tensor | None, of_bias: Tensor | None, *tangents: Tensor | None) -> Tensor:
        weight, *inputs = ctx.saved_tensors
        given = [
            torch.zeros_like(x) if tangent is None else tangent for tangent, x in zip(tangents, inputs, strict=True)
        ]
        total = ctx.activation.pushed_forward(*given, *inputs) @ weight.mT
        if of_weight is not None:
            total = total + ctx.activation.function(*inputs) @ of_weight.mT
        return total if of_bias is None else total + of_bias
