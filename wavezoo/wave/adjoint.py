"""How a backward pass gets at a trajectory without keeping it: computed again, or run backwards.

Both take functions of tensors: whatever the result depends on is an argument, so that the backward pass sees what the
forward pass saw, also where the tensors stand for a module's parameters (`replacing`) that were replaced by then.
"""

import warnings
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.utils.checkpoint import checkpoint

from wavezoo.errors import ReverseWarning, WavezooError
from wavezoo.wave.damping.base import whole
from wavezoo.wave.integrators.base import Integrator
from wavezoo.wave.precision import autocast_as_now, without_autocast
from wavezoo.wave.system import WaveSystem

# Running a damped scheme backwards multiplies its rounding errors by what damping took. Beyond this factor float32
# would keep fewer than four of its seven digits.
LARGEST_AMPLIFICATION = 1e3


Within = Callable[..., Any]


def replacing(module: nn.Module) -> tuple[Within, list[Tensor]]:
    """Return all parameters and buffers of a module, and a function that runs something with others in their place.

    The function is called as ``within(tensors, action, *arguments)`` and returns ``action(*arguments)``.
    """
    named = {f"module.{name}": each for name, each in (*module.named_parameters(), *module.named_buffers())}
    names, caller = list(named), _Caller(module)

    def within(tensors: Sequence[Tensor], action: Callable[..., Any], *arguments: Any) -> Any:
        return functional_call(caller, dict(zip(names, tensors, strict=True)), (action, *arguments))

    return within, list(named.values())


class _Caller(nn.Module):
    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, action: Callable[..., Any], *arguments: Any) -> Any:
        return action(*arguments)


def recomputed(function: Callable[..., Tensor], *tensors: Tensor) -> Tensor:
    """Return ``function(*tensors)``, of which the backward pass keeps the tensors alone and computes the rest again.

    Raises:
        WavezooError: in the backward pass, if one of the tensors was changed in place since.
    """
    versions = [each._version for each in tensors if each.requires_grad]

    def unchanged(*given: Tensor) -> Tensor:
        if [each._version for each in given if each.requires_grad] != versions:
            raise WavezooError(
                "a tensor that the backward pass has to compute with again was changed in place since the forward "
                'pass. Change it later, or use gradient="store".'
            )
        return function(*given)

    return checkpoint(unchanged, *tensors, use_reentrant=False)


Start = tuple[Tensor, Tensor | None, tuple[Tensor | None, ...]]


class Problem(NamedTuple):
    """What a reversible run solves.

    Attributes:
        within: runs an action with given tensors in the place of a module's, see `replacing`.
        start: first displacement and velocity (None for rest), and what the medium is made of, from the input.
        medium: the medium, from a displacement and what `start` gave for it.
        integrator: a reversible integrator.
        steps: number of steps of length 1.
    """

    within: Within
    start: Callable[[Tensor], Start]
    medium: Callable[..., WaveSystem]
    integrator: Integrator
    steps: int


def reversed_run(problem: Problem, x: Tensor, tensors: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
    """Return displacement and velocity at the end; the backward pass undoes the steps one by one.

    It keeps the input and the last state. Where damping takes so much that running backwards would amplify rounding too
    far, which the backward pass asks the device for, it runs forwards again from the input, with a warning.

    Args:
        problem: what is solved.
        x: input, ``(B, C, *G)``.
        tensors: all else that the run depends on.

    Raises:
        WavezooError: in the backward pass, if its own gradient is asked for (``create_graph``).
    """
    return _Reverse.apply(problem, x, *tensors)


class _Reverse(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, problem: Problem, x: Tensor, *tensors: Tensor) -> tuple[Tensor, Tensor]:
        def run() -> tuple[Tensor, Tensor | None]:
            u, v, given = problem.start(x)
            with without_autocast(x.device):
                return problem.integrator.advance(problem.medium(u, *given), u, v, 1.0, problem.steps)

        u, v = problem.within(tensors, run)
        ctx.save_for_backward(u, v, x, *tensors)
        ctx.problem, ctx.autocast = problem, autocast_as_now(x.device)
        return u, v

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        if torch.is_grad_enabled():
            raise WavezooError(
                'gradient="reverse" has no second derivative, which create_graph=True asks for. '
                'Use gradient="store" or "recompute".'
            )
        u, v, *given = ctx.saved_tensors
        leaves = [each.detach().requires_grad_() if each.requires_grad else each for each in given]
        wanted = [each for each in leaves if each.requires_grad]
        backward_pass = _BackwardPass(ctx.problem, wanted)
        ctx.problem.within(leaves[1:], backward_pass.run, leaves[0], (u, v), gradients, ctx.autocast)
        totals = [backward_pass.totals.get(id(each)) for each in leaves]
        return None, *(
            None if total is None else total.to(each.dtype) for each, total in zip(leaves, totals, strict=True)
        )


State = tuple[Tensor, Tensor]


class _BackwardPass:
    """Gathers the gradients of a run by way of its steps.

    Args:
        problem: what was solved.
        wanted: the leaves whose gradient is wanted, the input and all other tensors.

    Attributes:
        totals: what was gathered, by the identity of the leaf.
    """

    def __init__(self, problem: Problem, wanted: Sequence[Tensor]) -> None:
        self.problem = problem
        self.wanted = wanted
        self.totals: dict[int, Tensor] = {}

    def run(self, x: Tensor, last: State, gradients: State, autocast: Callable[[], Any]) -> None:
        """Gather the gradients of everything, from those of the last state."""
        with torch.enable_grad(), autocast():
            first_u, first_v, given = self.problem.start(x)
        # The fields are differentiated once, after all steps.
        inner = [None if each is None else each.detach().requires_grad_(each.requires_grad) for each in given]
        fields = [each for each in inner if each is not None and each.requires_grad]
        with without_autocast(x.device):
            gradients = self._through_steps(first_u, first_v, inner, fields, last, gradients)
        ends: list[tuple[Tensor | None, Tensor | None]] = [(first_u, gradients[0]), (first_v, gradients[1])]
        ends += [(one, self.totals.get(id(other))) for one, other in zip(given, inner, strict=True)]
        kept = [(end, by.to(end.dtype)) for end, by in ends if end is not None and end.requires_grad and by is not None]
        if kept:
            outputs, gradients_of = zip(*kept, strict=True)
            self._gather(self.wanted, torch.autograd.grad(outputs, self.wanted, gradients_of, allow_unused=True))

    def _through_steps(
        self,
        first_u: Tensor,
        first_v: Tensor | None,
        given: Sequence[Tensor | None],
        fields: Sequence[Tensor],
        last: State,
        gradients: State,
    ) -> State:
        """Return the gradients of the first state, and gather those of the medium's leaves."""
        integrator, steps = self.problem.integrator, self.problem.steps
        backwards = self.problem.medium(last[0], *given)
        with torch.enable_grad():
            forwards = self.problem.medium(last[0], *given)
        if (amplification := _amplification(backwards, steps)) > LARGEST_AMPLIFICATION:
            _warn(amplification)
            start = (first_u, torch.zeros_like(first_u) if first_v is None else first_v)
            return self._pulled_back(
                start, fields, gradients, lambda u, v: integrator.advance(forwards, u, v, 1.0, steps)
            )
        state = integrator.init(backwards, *last)
        for _ in range(steps):
            state = integrator.step(backwards, state, -1.0)
            gradients = self._pulled_back(
                (state.u, state.v), fields, gradients, lambda u, v: _stepped(integrator, forwards, u, v)
            )
        return gradients

    def _pulled_back(
        self, start: State, fields: Sequence[Tensor], gradients: State, advance: Callable[[Tensor, Tensor], Any]
    ) -> State:
        """Return the gradients of ``start`` from those of what it advances to, and gather those of the leaves."""
        u, v = (each.detach().requires_grad_() for each in start)
        with torch.enable_grad():
            end = advance(u, v)
        leaves = [*fields, *self.wanted]
        to_u, to_v, *found = torch.autograd.grad(end, [u, v, *leaves], gradients, retain_graph=True, allow_unused=True)
        self._gather(leaves, found)
        return torch.zeros_like(u) if to_u is None else to_u, torch.zeros_like(v) if to_v is None else to_v

    def _gather(self, leaves: Sequence[Tensor], found: Sequence[Tensor | None]) -> None:
        for leaf, each in zip(leaves, found, strict=True):
            if each is not None:
                # In no less than single precision: a sum over steps in half precision would lose most of its digits.
                each = each.to(torch.promote_types(each.dtype, torch.float32))
                self.totals[id(leaf)] = self.totals[id(leaf)] + each if id(leaf) in self.totals else each


def _stepped(integrator: Integrator, system: WaveSystem, u: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
    end = integrator.step(system, integrator.init(system, u, v), 1.0)
    return end.u, end.v


def _amplification(system: WaveSystem, steps: int) -> float:
    """Return by what factor rounding grows when ``steps`` steps are run backwards."""
    decay = whole(system.damping, system.damping_rate, 1.0).decay
    if decay is None or decay.numel() == 0 or decay.device.type == "meta":
        return 1.0
    return float(decay.abs().amin().double() ** -steps)


def _warn(amplification: float) -> None:
    warnings.warn(
        f"damping takes so much that running backwards would amplify rounding {amplification:.1e} times, more than "
        f"{LARGEST_AMPLIFICATION:g}; the gradient is recomputed instead. "
        'Lower the damping or use gradient="recompute".',
        ReverseWarning,
        stacklevel=2,
    )
