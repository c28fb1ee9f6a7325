"""The smooth limit that keeps Courant numbers below the stability bound.

Shapes: any; the arguments broadcast.
"""

from typing import Any

import torch
from torch import Tensor

# Squares of Courant numbers beyond this would overflow float32.
LARGEST_COURANT_NUMBER = 1e6


def limited_square(courant: Tensor, inverse_limit_squared: Tensor) -> Tensor:
    """Return ``nu² / (1 + nu² / limit²)``, the square of a Courant number that stays below ``limit``.

    Its derivative is written out, because the passes over memory of its parts would cost as much as a time step.

    Args:
        courant: nu, not negative.
        inverse_limit_squared: ``1 / limit²``; 0 for no limit.
    """
    return _LimitedSquare.apply(courant, inverse_limit_squared)


class _LimitedSquare(torch.autograd.Function):
    generate_vmap_rule = True

    @staticmethod
    def forward(courant: Tensor, inverse_limit_squared: Tensor) -> Tensor:
        square = courant.clamp(max=LARGEST_COURANT_NUMBER).square()
        return square / torch.addcmul(square.new_ones(()), square, inverse_limit_squared)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, Tensor], output: Tensor) -> None:
        ctx.save_for_backward(*inputs, output)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor | None]:
        courant, inverse_limit_squared, limited = ctx.saved_tensors
        to_courant = to_limit = None
        if ctx.needs_input_grad[0]:
            # 2 nu / (1 + nu²/limit²)², and 1 / (1 + nu²/limit²) is 1 - limited/limit².
            remaining = torch.addcmul(limited.new_ones(()), limited, inverse_limit_squared, value=-1)
            to_courant = (2 * gradient) * courant * remaining.square()
        if ctx.needs_input_grad[1]:
            to_limit = (-gradient * limited.square()).sum_to_size(inverse_limit_squared.shape)
        return to_courant, to_limit
