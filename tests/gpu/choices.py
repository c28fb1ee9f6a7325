"""Every scheme of every axis in an operator, the others at their defaults."""

import functools

import pytest
import torch

import wavezoo
from wavezoo.plugins.axes import AXES
from wavezoo.plugins.registry import registry
from wavezoo.testing.conformance import cases

CHANNELS = 4
MODES = ["store", "recompute", "reverse"]
LINE, PLANE = (33,), (12, 9)


def build(role, name, options, ndim, gradient):
    """The operator on a fresh seed, with a guard where the schemes allow one; skips the test where they exclude it."""
    choice = {role: {"name": name, **options}, "gradient": gradient}
    if role != "damping_field":
        choice["damping_field"] = {"name": "constant", "initial": 0.1}
    axis = next(axis for axis in AXES.values() if role in axis.roles)
    requires = getattr(registry.scheme(axis.name, name), "requires", None)
    if requires is not None and requires.uniform_speed:
        choice["speed"] = "constant"
    for guard in ("limit", "off"):
        torch.manual_seed(0)
        try:
            return wavezoo.create_operator(CHANNELS, ndim, dt=0.2, courant_guard=guard, **choice)
        except wavezoo.WavezooError as error:
            refusal = error
    pytest.skip(str(refusal))


def grid_of(operator):
    return operator.laplacian.fixed_grid or (LINE if operator.ndim == 1 else PLANE)


def every_operator(*modes):
    """Parametrise with a function that builds the operator, for each scheme and gradient mode."""
    return pytest.mark.parametrize(
        "make",
        [
            pytest.param(
                functools.partial(build, role, name, options, ndim, gradient),
                id=f"{role}-{name}-{number}-{ndim}d-{gradient}",
            )
            for axis in AXES.values()
            for role in axis.roles
            for name, scheme in registry.schemes(axis.name).items()
            for number, options in enumerate(cases(scheme))
            for ndim in (1, 2)
            for gradient in modes or MODES
        ],
    )


def sample(operator, batch=2, dtype=torch.float32):
    shape = (batch, CHANNELS, *grid_of(operator))
    return 0.3 * torch.randn(shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64).to(dtype)


def results(function, operator, x):
    """Output and gradients of input and parameters, in float64 on the CPU."""
    x = x.detach().requires_grad_()
    output = function(x)
    # Weights that no symmetry leaves alone: a drift would keep a sum of squares.
    weights = torch.randn(output.shape, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    wide = torch.promote_types(output.dtype, torch.float32)
    (output.to(wide) * weights.to(output.device, wide)).sum().backward()
    named = {"output": output.detach(), "x": x.grad}
    named |= {name: each.grad for name, each in operator.named_parameters() if each.grad is not None}
    found = {name: each.double().cpu() for name, each in named.items()}
    operator.zero_grad()
    return found


def reference(make):
    """The same in float64 on the CPU."""
    operator = make().double()
    return results(operator, operator, sample(operator, dtype=torch.float64))


def assert_near(found, expected, tolerance):
    assert found.keys() == expected.keys()
    # What is zero, as the gradient of a weight that no cell sees, is so beside the others.
    least = 1e-2 * max(each.norm() for each in expected.values())
    for name, value in found.items():
        scale = expected[name].norm().clamp(min=least)
        assert (value - expected[name]).norm() <= tolerance * scale, name
