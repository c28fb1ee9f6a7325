"""Fixed linear maps of fields, with every derivative: a map is its own derivative, its adjoint its gradient.

Shapes: B batch, C channels, ``*G`` grid.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor


@dataclass(frozen=True)
class LinearMap:
    """A linear map of fields, ``function(u, *tables)``, and the map that is its adjoint."""

    function: Callable[..., Tensor]
    adjoint: Callable[..., Tensor]


def self_adjoint(function: Callable[..., Tensor]) -> LinearMap:
    """Return the map of a function that is its own adjoint."""
    return LinearMap(function, function)


def applied(linear: LinearMap, u: Tensor, *tables: Tensor) -> Tensor:
    """Return ``linear.function(u, *tables)``; its backward pass applies the adjoint and keeps nothing but the tables.

    For tables that need no gradient. Backward, forward mode, their nesting and `torch.func.vmap` all work.
    """
    # A compiler takes no function with a forward-mode rule, and differentiates only backwards.
    function = _Backward if torch.compiler.is_compiling() else _BothWays
    return function.apply(linear, u, *tables)


class _Backward(torch.autograd.Function):
    generate_vmap_rule = True

    @staticmethod
    def forward(linear: LinearMap, u: Tensor, *tables: Tensor) -> Tensor:
        return linear.function(u, *tables)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        ctx.linear, _, *tables = inputs
        ctx.save_for_backward(*tables)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        tables = ctx.saved_tensors
        adjoint = LinearMap(ctx.linear.adjoint, ctx.linear.function)
        return None, applied(adjoint, gradient, *tables), *[None] * len(tables)


class _BothWays(_Backward):
    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        ctx.linear, _, *tables = inputs
        ctx.save_for_backward(*tables)
        ctx.save_for_forward(*tables)

    @staticmethod
    def jvp(ctx: Any, _: None, tangent: Tensor, *others: None) -> Tensor:
        return applied(ctx.linear, tangent, *ctx.saved_tensors)
