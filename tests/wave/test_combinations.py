import itertools

import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode

import wavezoo
from wavezoo.plugins.registry import registry
from wavezoo.testing.conformance import cases

GRIDS = [(8,), (9,), (6, 6), (5, 8), (7, 5)]
DEFAULTS = {
    "laplacian": "spectral",
    "integrator": "velocity_verlet",
    "damping": "exponential",
    "speed": "pointwise",
    "potential": None,
    "drift": None,
}
AXIS_OF = {"laplacian": "laplacians", "integrator": "integrators", "damping": "damping", "speed": "fields"} | {
    "potential": "potentials",
    "drift": "drifts",
}


def spec(axis, name):
    """A scheme with the options that it must be given, as the conformance suite builds it; None for no scheme."""
    if name is None:
        return None
    return {"name": name, **cases(registry.scheme(axis, name))[0]}


def named(axis):
    return [*registry.schemes(AXIS_OF[axis]), *([None] if DEFAULTS[axis] is None else [])]


def pairs():
    """Every pair of schemes of different axes, the others at their defaults, in media that the two work in."""
    for first, second in itertools.combinations(DEFAULTS, 2):
        for names in itertools.product(named(first), named(second)):
            choice = {**DEFAULTS, first: names[0], second: names[1]}
            requires = [
                registry.scheme(AXIS_OF[axis], choice[axis]).requires
                for axis in ("integrator", "damping", "drift")
                if choice[axis]
            ]
            if any(each.uniform_speed for each in requires) and "speed" not in (first, second):
                choice["speed"] = "constant"
            yield choice


def refusal(choice):
    """The error with which the operator refuses a combination; None if it works."""
    try:
        build(**choice)
    except wavezoo.WavezooError as error:
        return str(error)
    return None


def build(laplacian, integrator, damping, speed="pointwise", potential=None, drift=None, ndim=None, **options):
    unlimited = registry.scheme("integrators", integrator).stability_limit == 0
    unlimited = unlimited or (potential and not registry.scheme("potentials", potential).bounded_stiffness)
    if ndim is None:
        ndim = registry.scheme("laplacians", laplacian).ndims[-1]
    schemes = {
        "laplacian": spec("laplacians", laplacian),
        "integrator": spec("integrators", integrator),
        "damping": spec("damping", damping),
        "speed": spec("fields", speed),
        "potential": spec("potentials", potential),
        "drift": spec("drifts", drift),
    }
    guard = {"courant_guard": "off", "dt": 0.2} if unlimited else {}
    return wavezoo.create_operator(3, ndim, **guard, **schemes, **options)


def grids_of(laplacian):
    scheme = build_laplacian(laplacian)
    if scheme.fixed_grid:
        return [scheme.fixed_grid]
    return [grid for grid in GRIDS if len(grid) in scheme.ndims]


def build_laplacian(name):
    scheme = registry.scheme("laplacians", name)
    return scheme(3, scheme.ndims[0], **cases(scheme)[0])


ALL = list({tuple(choice.items()): choice for choice in pairs()}.values())
COMBINATIONS = [choice for choice in ALL if refusal(choice) is None]
REFUSED = [choice for choice in ALL if refusal(choice) is not None]


def label(choice):
    return "-".join(str(name) for axis, name in choice.items() if name != DEFAULTS[axis]) or "defaults"


def by_cost(choice):
    """Schemes one by one in the default run, their pairs in the slow one."""
    return pytest.param(choice, id=label(choice), marks=[pytest.mark.slow] if "-" in label(choice) else [])


def random(*shape, dtype=torch.float64, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).to(dtype)


@pytest.mark.parametrize("choice", [by_cost(choice) for choice in COMBINATIONS])
def test_every_combination_runs_on_any_grid_and_trains(choice):
    for grid in grids_of(choice["laplacian"]):
        operator = build(**choice, ndim=len(grid), initial_velocity="projected", readout="projected")
        x = random(2, 3, *grid, dtype=torch.float32)
        output = operator(x)
        assert output.shape == x.shape
        (output * random(*x.shape, dtype=torch.float32, seed=1)).sum().backward()
        for name, parameter in operator.named_parameters():
            assert parameter.grad is not None, name
            assert parameter.grad.isfinite().all(), name
            assert parameter.grad.any(), name


@pytest.mark.parametrize("choice", [by_cost(choice) for choice in COMBINATIONS])
def test_meta_and_fake_tensors(choice):
    shape = (2, 3, *grids_of(choice["laplacian"])[-1])
    operator = build(**choice)
    assert operator.to("meta")(torch.empty(shape, device="meta")).shape == shape
    with FakeTensorMode(allow_non_fake_inputs=True):
        assert build(**choice)(torch.empty(shape)).shape == shape


@pytest.mark.parametrize("choice", [by_cost(choice) for choice in COMBINATIONS])
def test_compiles_into_one_graph(choice):
    torch._dynamo.reset()
    operator = build(**choice)
    x = 0.1 * random(2, 3, *grids_of(choice["laplacian"])[-1], dtype=torch.float32)
    compiled = torch.compile(operator, fullgraph=True, backend="eager")
    torch.testing.assert_close(compiled(x), operator(x))


@pytest.mark.parametrize("choice", [by_cost(choice) for choice in COMBINATIONS])
def test_a_grid_of_one_cell_an_empty_batch_and_nan(choice):
    grid = grids_of(choice["laplacian"])[-1]
    operator = build(**choice)
    if build_laplacian(choice["laplacian"]).fixed_grid is None:
        for small in ([1] * len(grid), [1, 4][: len(grid)]):
            assert operator(torch.randn(2, 3, *small)).isfinite().all()
    assert operator(torch.randn(0, 3, *grid)).shape == (0, 3, *grid)
    x = 0.1 * random(3, 3, *grid, dtype=torch.float32)
    spoiled = x.clone()
    spoiled[1, 0].view(-1)[0] = float("nan")
    output, expected = operator(spoiled), operator(x)
    assert output[1].isnan().any()
    torch.testing.assert_close(output[[0, 2]], expected[[0, 2]])
