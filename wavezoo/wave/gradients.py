"""The kinds of backward pass that a wave operator offers.

Shapes: inputs and outputs are ``(B, C, *G)``.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

from torch import Tensor
from torch.compiler import is_compiling
from torch.utils.checkpoint import checkpoint

from wavezoo.wave.adjoint import Problem, Start, recomputed, replacing, reversed_run

if TYPE_CHECKING:
    from wavezoo.wave.operator import WaveOperator


def stored_output(operator: "WaveOperator", x: Tensor) -> Tensor:
    """Return the output; all states are kept."""
    return operator.solved(x)


def recomputed_output(operator: "WaveOperator", x: Tensor) -> Tensor:
    """Return the output; the input is kept."""
    # A compiled graph holds the parameters as inputs already.
    if is_compiling():
        return checkpoint(operator.solved, x, use_reentrant=False)
    within, tensors = replacing(operator)
    return recomputed(lambda x, *tensors: within(tensors, operator.solved, x), x, *tensors)


def reversed_output(operator: "WaveOperator", x: Tensor) -> Tensor:
    """Return the output; the input and the last state are kept."""
    # A compiled graph cannot hold a backward pass that differentiates again.
    if is_compiling() or operator.readout.many or operator.start.directions(x.dtype) is not None:
        return recomputed_output(operator, x)

    def start(x: Tensor) -> Start:
        speed, gamma, velocity = operator.fields(x)
        u, v = operator.initial_state(x, velocity)
        return u, v, (speed.to(u.dtype), None if gamma is None else gamma.to(u.dtype))

    within, tensors = replacing(operator)
    problem = Problem(within, start, operator.medium, operator.integrator, operator.steps)
    u, v = reversed_run(problem, x, tensors)
    return operator.read(*operator.readout.of_state(u, v / operator.refinement.step)).to(x.dtype)


GRADIENTS: dict[str, Callable[["WaveOperator", Tensor], Tensor]] = {
    "store": stored_output,
    "recompute": recomputed_output,
    "reverse": reversed_output,
}
