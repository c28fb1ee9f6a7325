"""How the backward pass of a wave operator gets at the trajectory: kept, computed again, or run backwards."""

import warnings
from collections.abc import Iterator
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.utils.checkpoint import checkpoint

from wavezoo.errors import ReverseWarning
from wavezoo.wave.damping.base import whole
from wavezoo.wave.integrators.base import Integrator
from wavezoo.wave.system import WaveSystem

GRADIENTS = ("store", "recompute", "reverse")

# Running a damped scheme backwards multiplies its rounding errors by what damping took. Beyond this factor float32
# would keep fewer than four of its seven digits.
LARGEST_AMPLIFICATION = 1e3


class Solvable(Protocol):
    """What is needed of a wave operator: its stages, in their order."""

    integrator: Integrator
    steps: int

    def fields(self, x: Tensor) -> tuple[Tensor, Tensor | None, Tensor | None]:
        """Return speed, damping and initial velocity."""

    def medium(self, u: Tensor, speed: Tensor, gamma: Tensor | None) -> WaveSystem:
        """Return the medium."""

    def initial_state(self, x: Tensor, velocity: Tensor | None) -> tuple[Tensor, Tensor | None]:
        """Return displacement and velocity at the start, in the dtype of the solver."""

    def integrated(
        self, u: Tensor, v: Tensor | None, speed: Tensor, gamma: Tensor | None
    ) -> tuple[Tensor, Tensor | None]:
        """Return displacement and velocity at the end."""

    def read(self, u: Tensor, v: Tensor | None) -> Tensor:
        """Return the output."""

    def parameters(self) -> Iterator[nn.Parameter]:
        """Return all parameters."""


def differentiable(operator: Solvable, x: Tensor, gradient: str) -> Tensor:
    """Return the operator's output for ``x``, with a backward pass of the kind ``gradient``, one of ``GRADIENTS``."""

    def run(x: Tensor) -> Tensor:
        speed, gamma, velocity = operator.fields(x)
        u, v = operator.initial_state(x, velocity)
        return operator.read(*operator.integrated(u, v, speed, gamma)).to(x.dtype)

    if gradient == "store" or not torch.is_grad_enabled():
        return run(x)
    # A compiled graph cannot hold a backward pass that differentiates again.
    if gradient == "recompute" or torch.compiler.is_compiling():
        return checkpoint(run, x, use_reentrant=False)
    return _reversed(operator, x, run)


def _reversed(operator: Solvable, x: Tensor, run: Any) -> Tensor:
    with torch.no_grad():
        speed, gamma, velocity = operator.fields(x)
        u, v = operator.initial_state(x, velocity)
        amplification = _amplification(operator.medium(u, speed, gamma), operator.steps)
    if not amplification <= LARGEST_AMPLIFICATION:
        warnings.warn(
            f"damping takes so much that running backwards would amplify rounding {amplification:.1e} times, more than "
            f"{LARGEST_AMPLIFICATION:g}; the gradient is recomputed instead. "
            'Lower the damping or use gradient="recompute".',
            ReverseWarning,
            stacklevel=3,
        )
        return checkpoint(run, x, use_reentrant=False)
    speed, gamma, velocity = operator.fields(x)
    u, v = operator.initial_state(x, velocity)
    return operator.read(*_Reverse.apply(operator, u, v, speed, gamma, *operator.parameters())).to(x.dtype)


def _amplification(system: WaveSystem, steps: int) -> float:
    """Return by what factor rounding grows when ``steps`` steps are run backwards."""
    decay = whole(system.damping, system.damping_rate, 1.0).decay
    if decay is None or decay.numel() == 0 or decay.device.type == "meta":
        return 1.0
    return float(decay.abs().amin().double() ** -steps)


class _Reverse(torch.autograd.Function):
    """The run of an operator, whose backward pass undoes it step by step and differentiates each step by itself."""

    @staticmethod
    def forward(
        ctx: Any,
        operator: Any,
        u: Tensor,
        v: Tensor | None,
        speed: Tensor,
        gamma: Tensor | None,
        *parameters: Tensor,
    ) -> tuple[Tensor, Tensor]:
        system = operator.medium(u, speed, gamma)
        end_u, end_v = operator.integrator.advance(system, u, v, 1.0, operator.steps)
        # The parameters too, so that changing them before the backward pass is an error.
        ctx.save_for_backward(end_u, end_v, speed, gamma, *parameters)
        ctx.operator = operator
        ctx.at_rest = v is None
        return end_u, end_v

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        u, v, speed, gamma, *parameters = ctx.saved_tensors
        operator, integrator = ctx.operator, ctx.operator.integrator
        fields = [None if each is None else each.detach().requires_grad_() for each in (speed, gamma)]
        backwards = operator.medium(u, speed, gamma)
        with torch.enable_grad():
            forwards = operator.medium(u, *fields)
        wanted = [each for each in (*fields, *parameters) if each is not None and each.requires_grad]
        totals: list[Tensor | None] = [None] * len(wanted)
        state = integrator.init(backwards, u, v)
        for _ in range(operator.steps):
            state = integrator.step(backwards, state, -1.0)
            with torch.enable_grad():
                start = [state.u.detach().requires_grad_(), state.v.detach().requires_grad_()]
                end = integrator.step(forwards, integrator.init(forwards, *start), 1.0)
            found = torch.autograd.grad(
                [end.u, end.v], [*start, *wanted], gradients, retain_graph=True, materialize_grads=True
            )
            gradients = found[:2]
            totals = [each if total is None else total + each for total, each in zip(totals, found[2:], strict=True)]
        by_tensor = {id(each): total for each, total in zip(wanted, totals, strict=True)}
        others = [by_tensor.get(id(each)) for each in (*fields, *parameters)]
        return None, gradients[0], None if ctx.at_rest else gradients[1], *others
