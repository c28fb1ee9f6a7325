"""The softplus, ``log(1 + exp(x))``, and its inverse."""

import math
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

# Its difference from x is less than the rounding of x from here on, in float64.
LARGEST_CURVED = 40.0


def softplus(x: Tensor) -> Tensor:
    """Return ``log(1 + exp(x))``, shape of ``x``."""
    # Elsewhere torch's own is one kernel. On a CPU its log1p takes as long as all four steps of a solver.
    function: Any
    if torch.compiler.is_compiling():
        function = _Compiled.apply
    elif x.device.type != "cpu" or x.dtype not in (torch.float32, torch.float64):
        function = F.softplus
    else:
        function = _Softplus.apply
    result: Tensor = function(x)
    return result


def inverse_softplus(value: float) -> float:
    """Return the x at which ``log(1 + exp(x))`` is ``value``."""
    return value + math.log(-math.expm1(-value))


class _Softplus(torch.autograd.Function):
    generate_vmap_rule = True

    @staticmethod
    def forward(x: Tensor) -> Tensor:
        exponential = x.clamp(max=LARGEST_CURVED).exp_()
        # What rounding takes from the sum is added to its logarithm (Goldberg 1991, theorem 4, to first order).
        total = exponential + 1
        lost = exponential.sub_(total - 1).div_(total)
        return torch.maximum(total.log_().add_(lost), x)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor], output: Tensor) -> None:
        ctx.save_for_backward(*inputs)
        ctx.save_for_forward(*inputs)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        return gradient * torch.sigmoid(*ctx.saved_tensors)

    @staticmethod
    def jvp(ctx: Any, tangent: Tensor) -> Tensor:
        return tangent * torch.sigmoid(*ctx.saved_tensors)


class _Compiled(torch.autograd.Function):
    """torch's, with a derivative of single operations.

    A tracer takes the memory of that of torch for another than it has, and backends that run it as it is then fail.
    """

    generate_vmap_rule = True

    @staticmethod
    def forward(x: Tensor) -> Tensor:
        return F.softplus(x)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor], output: Tensor) -> None:
        ctx.save_for_backward(*inputs)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        return gradient * torch.sigmoid(*ctx.saved_tensors)
