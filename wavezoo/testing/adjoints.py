"""Whether a run of an integrator has the gradient of its steps, however it comes by it."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from wavezoo.testing.assertions import random_input, require
from wavezoo.testing.problems import Problem, varying_medium
from wavezoo.testing.runs import like, run
from wavezoo.wave.damping.exponential import ExponentialDamping
from wavezoo.wave.damping.linear import LinearDamping
from wavezoo.wave.damping.midpoint import MidpointDamping
from wavezoo.wave.damping.none import NoDamping
from wavezoo.wave.integrators.base import Integrator

DT, STEPS = 0.2, 3


def gradient_of_advance(build: Callable[[], Integrator]) -> None:
    """`advance` has the gradient of as many steps, to 1e-12 of it, from rest too, and so has that gradient in turn."""
    integrator = build()
    for damping in (NoDamping(1, 1), ExponentialDamping(1, 1), MidpointDamping(1, 1), LinearDamping(1, 1)):
        if integrator.requires.exact_decay and not damping.exact_decay:
            continue
        problem = varying_medium(damping, integrator, size=12)
        for rests in (False, True):
            given = [problem.u, problem.system.speed_squared, problem.system.gamma, *([] if rests else [problem.v])]
            expected = _gradients(lambda *tensors: _by_steps(integrator, problem, *tensors), given)  # noqa: B023
            actual = _gradients(lambda *tensors: _advanced(integrator, problem, *tensors), given)  # noqa: B023
            what = f"the gradient of advance is not that of its steps, with {type(damping).__name__}"
            for one, other in zip(actual, expected, strict=True):
                require((one - other).norm().item() <= 1e-12 * (1 + other.norm().item()), what)


def _by_steps(
    integrator: Integrator, problem: Problem, u: Tensor, speed_squared: Tensor, gamma: Tensor, v: Tensor | None = None
) -> Tensor:
    system = like(problem.system, speed_squared=speed_squared, gamma=gamma)
    start = problem._replace(system=system, u=u, v=torch.zeros_like(u) if v is None else v)
    *_, end = run(integrator, start, DT, STEPS)
    return torch.cat([end.u, end.v])


def _advanced(
    integrator: Integrator, problem: Problem, u: Tensor, speed_squared: Tensor, gamma: Tensor, v: Tensor | None = None
) -> Tensor:
    system = like(problem.system, speed_squared=speed_squared, gamma=gamma)
    u, end = integrator.advance(system, u, v, DT, STEPS)
    require(end is not None, "advance gives no velocity")
    return torch.cat([u, end])  # type: ignore[list-item]


def _gradients(function: Callable[..., Tensor], given: Sequence[Tensor]) -> list[Tensor]:
    """Return the gradients of a weighted sum of the result, and those of the sum of their squares."""
    leaves = [each.clone().requires_grad_() for each in given]
    weight = random_input((2, *given[0].shape[1:]), seed=1)
    once = torch.autograd.grad(function(*leaves), leaves, weight, allow_unused=True, materialize_grads=True)
    again = torch.autograd.grad(
        function(*leaves), leaves, weight, create_graph=True, allow_unused=True, materialize_grads=True
    )
    squares = torch.stack([each.square().sum() for each in again]).sum()
    return [*once, *torch.autograd.grad(squares, leaves, allow_unused=True, materialize_grads=True)]
