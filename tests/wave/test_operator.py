import copy
import itertools
import math
import pickle

import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode

import wavezoo
from wavezoo.config.presets import PRESETS
from wavezoo.plugins.registry import registry
from wavezoo.testing.conformance import cases
from wavezoo.testing.reference import dense_finite_difference_laplacian, dense_spectral_laplacian, reference_output
from wavezoo.testing.runs import largest_amplification
from wavezoo.wave.laplacians.base import Laplacian
from wavezoo.wave.spectral.basis import method_on

GRIDS = [(8,), (9,), (6, 6), (5, 8), (7, 5)]
LAPLACIANS = {
    "fft": ({"name": "spectral", "method": "fft"}, dense_spectral_laplacian),
    "matmul": ({"name": "spectral", "method": "matmul"}, dense_spectral_laplacian),
    "order 2": (
        {"name": "finite_difference", "order": 2},
        lambda grid: dense_finite_difference_laplacian(grid, (-2, 1)),
    ),
}
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


def random(*shape, dtype=torch.float64, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).to(dtype)


@pytest.mark.parametrize("grid", GRIDS, ids=str)
@pytest.mark.parametrize("laplacian", LAPLACIANS)
@pytest.mark.parametrize(
    ("preset", "choices"),
    [
        ("paper", {}),
        ("stepped", {}),
        ("stepped", {"initial_velocity": "projected", "damping_field": "pointwise"}),
    ],
    ids=str,
)
def test_equals_a_naive_dense_reference(preset, choices, laplacian, grid):
    torch.manual_seed(0)
    spec, dense = LAPLACIANS[laplacian]
    operator = wavezoo.create_operator(3, len(grid), preset, laplacian=spec, dt=0.4, **choices).double()
    x = random(2, 3, *grid).requires_grad_()
    weight = random(2, 3, *grid, seed=1)
    expected = reference_output(operator, x, preset, dense(grid))
    actual = operator(x)
    torch.testing.assert_close(actual, expected, rtol=1e-9, atol=1e-9)
    parameters = [x, *operator.parameters()]
    expected_gradients = torch.autograd.grad((expected * weight).sum(), parameters)
    actual_gradients = torch.autograd.grad((actual * weight).sum(), parameters)
    for actual_gradient, expected_gradient in zip(actual_gradients, expected_gradients, strict=True):
        torch.testing.assert_close(actual_gradient, expected_gradient, rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize("steps", [1, 4])
@pytest.mark.parametrize(("readout", "more"), [("displacement", 0), ("velocity", 1)])
def test_k_steps_evaluate_the_laplacian_k_times_and_once_more_for_the_velocity(readout, more, steps, monkeypatch):
    calls = 0
    operator = wavezoo.create_operator(3, 1, steps=steps, readout=readout)
    bind = operator.laplacian.bind

    def counting_bind(u):
        apply = bind(u)

        def count(u):
            nonlocal calls
            calls += 1
            return apply(u)

        return count

    monkeypatch.setattr(operator.laplacian, "bind", counting_bind)
    operator(random(2, 3, 8, dtype=torch.float32))
    assert calls == steps + more


@pytest.mark.parametrize("choice", COMBINATIONS, ids=label)
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


@pytest.mark.parametrize("initial_velocity", ["zero", "projected"])
@pytest.mark.parametrize("readout", ["displacement", "velocity", "projected"])
def test_options_change_the_output(initial_velocity, readout):
    torch.manual_seed(0)
    options = {"initial_velocity": initial_velocity, "readout": readout}
    operator = wavezoo.create_operator(3, 2, **options)
    x = random(2, 3, 6, 6, dtype=torch.float32)
    run = operator.simulate(x)
    if readout != "projected":
        torch.testing.assert_close(operator(x), getattr(run, readout)[-1])
    assert run.velocity[0].any() == (initial_velocity == "projected")


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("method", ["fft", "matmul"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_dtype_in_is_dtype_out(preset, method, dtype):
    operator = wavezoo.create_operator(3, 2, preset, laplacian={"name": "spectral", "method": method}).to(dtype)
    assert operator(random(2, 3, 6, 5, dtype=dtype)).dtype == dtype


@pytest.mark.parametrize("choice", COMBINATIONS, ids=label)
def test_meta_and_fake_tensors(choice):
    shape = (2, 3, *grids_of(choice["laplacian"])[-1])
    operator = build(**choice)
    assert operator.to("meta")(torch.empty(shape, device="meta")).shape == shape
    with FakeTensorMode(allow_non_fake_inputs=True):
        assert build(**choice)(torch.empty(shape)).shape == shape


def by_cost(choice):
    """Schemes one by one in the default run, their pairs in the slow one."""
    return pytest.param(choice, id=label(choice), marks=[pytest.mark.slow] if "-" in label(choice) else [])


@pytest.mark.parametrize("choice", [by_cost(choice) for choice in COMBINATIONS])
def test_compiles_into_one_graph(choice):
    torch._dynamo.reset()
    operator = build(**choice)
    x = 0.1 * random(2, 3, *grids_of(choice["laplacian"])[-1], dtype=torch.float32)
    compiled = torch.compile(operator, fullgraph=True, backend="eager")
    torch.testing.assert_close(compiled(x), operator(x))


def test_a_sample_does_not_depend_on_its_batch():
    operator = wavezoo.create_operator(3, 2).double()
    x = random(4, 3, 6, 5)
    loud = torch.cat([x[:1], 1e3 * x[1:]])
    torch.testing.assert_close(operator(loud)[:1], operator(x[:1]))
    spoiled = torch.cat([x[:1], torch.full_like(x[1:], float("nan"))])
    torch.testing.assert_close(operator(spoiled)[:1], operator(x[:1]))


def test_copies_give_the_same_output():
    operator = wavezoo.create_operator(3, 2)
    x = random(2, 3, 6, 5, dtype=torch.float32)
    operator(x).sum().backward()
    for clone in (copy.deepcopy(operator), pickle.loads(pickle.dumps(operator))):
        assert torch.equal(clone(x), operator(x))


STABLE = [name for name, scheme in registry.schemes("integrators").items() if scheme.stability_limit > 0]
BOUNDED = [name for name, scheme in registry.schemes("potentials").items() if scheme.bounded_stiffness]


def require_no_growth(operator, ndim, dtype, steps):
    """Scale weights by 1e3, take a huge time step and inputs of 1 and 1e4, and see each field stay as large as it was.

    For schemes with a limit, the energy too; the others have conserved quantities of their own.
    """
    with torch.no_grad():
        for parameter in operator.parameters():
            parameter.mul_(1e3)
        operator.log_dt.fill_(8.0)
        x = random(2, 2, *[8] * ndim, dtype=torch.float64) * torch.tensor([1.0, 1e4]).view(2, 1, *[1] * ndim)
        with torch.autocast("cpu", torch.bfloat16, enabled=dtype == torch.bfloat16):
            run = operator.simulate(x.to(dtype), steps=steps, every=steps // 20)
    loudest = run.displacement.abs().flatten(2).amax(2)
    # A pendulum may go from rest to rest with no energy at all.
    assert (operator.potential is not None and not operator.potential.quadratic) or (loudest <= 20 * loudest[0]).all()
    if operator.integrator.stability_limit < float("inf"):
        assert (run.energy <= 20 * run.energy[0]).all()
        assert (run.courant < run.courant_limit.max()).all()
        assert (run.margin > 0).all()


# Those without a stability limit take long for 10,000 steps, and have least reason to grow.
LONG_RUNS = [
    pytest.param(
        name,
        ndim,
        steps,
        marks=[pytest.mark.slow]
        if ndim == 1 and math.isinf(registry.scheme("integrators", name).stability_limit)
        else [],
    )
    for name in STABLE
    for ndim, steps in ((1, 10_000), (2, 1000))
]


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize(("integrator", "ndim", "steps"), LONG_RUNS)
def test_with_the_guard_nothing_makes_an_undamped_run_grow(integrator, ndim, steps, dtype):
    torch.manual_seed(0)
    speed = "constant" if registry.scheme("integrators", integrator).requires.uniform_speed else "pointwise"
    operator = wavezoo.create_operator(2, ndim, integrator=integrator, damping="none", speed=speed)
    require_no_growth(operator, ndim, dtype, steps)


@pytest.mark.parametrize("laplacian", registry.schemes("laplacians"))
def test_with_the_guard_no_laplacian_makes_an_undamped_run_grow(laplacian):
    torch.manual_seed(0)
    scheme = registry.scheme("laplacians", laplacian)
    operator = wavezoo.create_operator(2, scheme.ndims[0], damping="none", laplacian=spec("laplacians", laplacian))
    require_no_growth(operator, scheme.ndims[0], torch.float32, 2000)


@pytest.mark.parametrize("potential", BOUNDED)
def test_with_the_guard_no_potential_makes_an_undamped_run_grow(potential):
    torch.manual_seed(0)
    operator = wavezoo.create_operator(2, 1, damping="none", potential=potential, speed="constant")
    # Positive, so that scaling makes waves fast and the potential stiff.
    for parameter in operator.parameters():
        parameter.data.abs_()
    require_no_growth(operator, 1, torch.float32, 10_000)


@pytest.mark.parametrize("damping", registry.schemes("damping"))
@pytest.mark.parametrize("integrator", STABLE)
def test_with_the_guard_no_damping_makes_a_step_amplify(integrator, damping):
    choice = {**DEFAULTS, "integrator": integrator, "damping": damping, "speed": "constant"}
    if refusal(choice) is not None:
        pytest.skip("refused when it is built")
    operator = build(**choice, ndim=1).double()
    numbers = torch.logspace(-2, 4, 60, dtype=torch.float64)
    u = numbers.expand(1, 3, -1)
    operator.log_dt.data.zero_()
    system = operator.medium(u, u, u if operator.damping.uses_gamma else None)
    omega_dt = (system.speed_squared * operator.laplacian.spectral_radius((60,))).sqrt()[0, 0]
    gamma_dt = system.gamma[0, 0] if operator.damping.uses_gamma else numbers
    factor = largest_amplification(operator.integrator, operator.damping, omega_dt, gamma_dt)
    assert factor <= 1 + 1e-9


def test_without_the_guard_the_same_run_blows_up():
    operator = wavezoo.create_operator(2, 1, damping="none", courant_guard="off", dt=2.0)
    run = operator.simulate(random(2, 2, 8, dtype=torch.float32), steps=500, every=100)
    assert (run.courant > run.courant_limit).all()
    assert (run.margin < 0).all()
    assert not run.displacement.isfinite().all()


def test_the_guard_leaves_slow_waves_as_they_are():
    slow = {"name": "constant", "initial": 1e-3}
    guarded, free = (wavezoo.create_operator(2, 1, speed=slow, courant_guard=guard) for guard in ("limit", "off"))
    free.load_state_dict(guarded.state_dict())
    x = random(2, 2, 8, dtype=torch.float32)
    torch.testing.assert_close(guarded(x), free(x), rtol=1e-5, atol=1e-6)


def test_undamped_waves_keep_their_energy():
    operator = wavezoo.create_operator(2, 2, damping="none", speed={"name": "constant", "initial": 0.2}).double()
    run = operator.simulate(random(2, 2, 16, 16), steps=2000, every=10)
    swing = run.energy / run.energy[0] - 1
    assert swing.abs().max() < 0.1
    torch.testing.assert_close(run.wecs, torch.ones(2, dtype=torch.float64), atol=0.1, rtol=0)


def test_simulate_records_what_forward_returns():
    operator = wavezoo.create_operator(3, 2, steps=6)
    x = random(2, 3, 6, 5, dtype=torch.float32)
    run = operator.simulate(x, every=2)
    assert run.times.tolist() == [0, 2, 4, 6]
    torch.testing.assert_close(run.displacement[-1], operator(x))
    torch.testing.assert_close(run.displacement[0], x)


@pytest.mark.parametrize("name", ["spectral", "cosine", "sine"])
@pytest.mark.parametrize("preset", ["stepped", "closed_form"])
def test_all_methods_of_a_laplacian_agree(preset, name):
    methods = set()
    for grid in [*GRIDS, (8, 8), (11, 11), (5, 24), (12, 11)]:
        methods.add(method_on(grid, "auto"))
        x, outputs, gradients = random(2, 3, *grid).requires_grad_(), [], []
        for method in ("fft", "matmul", "auto"):
            operator = wavezoo.create_operator(3, len(grid), preset=preset, laplacian={"name": name, "method": method})
            torch.manual_seed(0)
            for parameter in operator.parameters():
                torch.nn.init.normal_(parameter, std=0.3)
            operator.double()
            outputs += [operator.laplacian(x), operator(x)]
            gradients.append(torch.autograd.grad(outputs[-1].square().sum(), x)[0])
        for results in (outputs[::2], outputs[1::2], gradients):
            torch.testing.assert_close(results[1], results[0])
            torch.testing.assert_close(results[2], results[0])
    assert methods == {"matmul", "plane"}


@pytest.mark.parametrize(("small", "large"), [((8,), (512,)), ((8, 8), (8, 200))])
def test_auto_takes_products_on_small_grids_and_transforms_on_large_ones(small, large, monkeypatch):
    transforms = 0
    rfftn = torch.fft.rfftn

    def counted(*args, **kwargs):
        nonlocal transforms
        transforms += 1
        return rfftn(*args, **kwargs)

    monkeypatch.setattr(torch.fft, "rfftn", counted)
    laplacian = wavezoo.create_operator(2, len(small)).laplacian
    laplacian(random(1, 2, *small))
    assert transforms == 0
    laplacian(random(1, 2, *large))
    assert transforms == 1


@pytest.mark.parametrize(
    ("choices", "message"),
    [
        ({"steps": 0}, "steps is 0"),
        ({"dt": 0.0}, "dt is 0.0"),
        ({"dt": "fast"}, "dt is 'fast'"),
        ({"readout": "displacment"}, "allowed, nearest first: displacement"),
        ({"initial_velocity": "zeros"}, "nearest first: zero"),
        ({"courant_guard": "on"}, "courant_guard is 'on'"),
        ({"stepz": 3}, "nearest first: steps"),
        ({"integrator": "verlet"}, "nearest first: velocity_verlet"),
        ({"integrator": "explicit_euler"}, "stability limit of 0"),
        ({"integrator": {"order": 2}}, "give a name, or a mapping"),
        ({"laplacian": {"name": "finite_difference", "ordr": 2}}, "nearest first: order"),
        ({"laplacian": {"name": "finite_difference", "order": 3}}, "order of the finite-difference Laplacian is 3"),
        ({"laplacian": {"name": "finite_difference", "order": "2"}}, "order is '2'"),
        ({"laplacian": {"name": "spectral", "method": "dct"}}, "fft"),
        ({"speed": {"name": "constant", "initial": -1.0}}, "initial value of a field is -1.0"),
        ({"damping": "none", "damping_field": "constant"}, "does not read the damping field"),
        ({"damping": "linear", "damping_field": None}, "needs a damping field"),
    ],
)
def test_bad_choices_are_refused_with_what_is_allowed(choices, message):
    with pytest.raises(wavezoo.WavezooError, match=message):
        wavezoo.create_operator(3, 2, **choices)


def test_bad_presets_axes_and_inputs():
    with pytest.raises(wavezoo.WavezooError, match="nearest first: paper"):
        wavezoo.create_operator(3, 2, "papers")
    with pytest.raises(wavezoo.WavezooError, match="number of grid axes"):
        wavezoo.create_operator(3, 3)
    with pytest.raises(wavezoo.WavezooError, match="does not fit"):
        wavezoo.create_operator(3, 2)(torch.zeros(2, 4, 6, 6))
    with pytest.raises(wavezoo.WavezooError, match="does not fit"):
        wavezoo.create_operator(3, 2)(torch.zeros(2, 3, 6))
    for options in ({"steps": 0}, {"every": 0}):
        with pytest.raises(wavezoo.WavezooError, match="at least 1"):
            wavezoo.create_operator(3, 2).simulate(torch.zeros(2, 3, 6, 6), **options)


def test_a_laplacian_for_other_grids_is_refused(scratch_registry):
    class OneDimensional(Laplacian):
        """Only lines."""

        ndims = (1,)
        boundary, causal, self_adjoint, order = "periodic", False, True, 2

        def bind(self, u):
            return lambda u: 0 * u

        def spectral_radius(self, grid):
            return 0.0

    class Plugin:
        @wavezoo.hookimpl
        def wavezoo_laplacians(self):
            return {"line": OneDimensional}

    scratch_registry.add(Plugin(), "line", "test")
    with pytest.raises(wavezoo.WavezooError, match="OneDimensional"):
        wavezoo.create_operator(3, 2, laplacian="line")
    # A radius of zero stands for no wave at all, and needs no limit.
    assert wavezoo.create_operator(3, 1, laplacian="line")(torch.zeros(1, 3, 4)).shape == (1, 3, 4)


@pytest.mark.parametrize("choice", COMBINATIONS, ids=label)
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


def test_an_empty_grid_is_refused():
    with pytest.raises(wavezoo.WavezooError, match="no grid cell"):
        wavezoo.create_operator(3, 2)(torch.zeros(2, 3, 0, 4))


def test_the_guard_that_raises():
    operator = wavezoo.create_operator(3, 2, courant_guard="raise", dt=0.1)
    x = random(2, 3, 6, 6, dtype=torch.float32)
    limited = wavezoo.create_operator(3, 2, courant_guard="off")
    limited.load_state_dict(operator.state_dict())
    assert torch.equal(operator(x), limited(x))
    operator.log_dt.data.fill_(1.0)
    with pytest.raises(
        wavezoo.WavezooError, match=r"omega dt reaches .* beyond the stability limit 2 of VelocityVerlet"
    ):
        operator(x)
    fields = {"speed": {"name": "constant", "initial": 0.1}, "damping_field": {"name": "constant", "initial": 20.0}}
    damped = wavezoo.create_operator(3, 1, courant_guard="raise", damping="linear", **fields)
    with pytest.raises(wavezoo.WavezooError, match=r"gamma dt reaches 10, beyond the limit 4"):
        damped(x[..., 0])
    cubic = wavezoo.create_operator(3, 2, courant_guard="raise", potential="cubic", dt=0.1)
    cubic(0.1 * x)
    with pytest.raises(wavezoo.WavezooError, match="omega dt reaches"):
        cubic(1e3 * x)


def test_the_margin_tells_how_far_the_bound_is():
    speed = {"name": "constant", "initial": 0.5}
    for dt, margin in ((0.5, 1 - 0.25 * math.pi / 2), (2.0, 1 - math.pi / 2)):
        operator = wavezoo.create_operator(2, 1, speed=speed, dt=dt, damping="none", courant_guard="off")
        run = operator.simulate(torch.randn(3, 2, 8), steps=1)
        torch.testing.assert_close(run.margin, torch.full((3,), margin), rtol=1e-5, atol=1e-5)
    exact = wavezoo.create_operator(2, 1, speed=speed, integrator="exact").simulate(torch.randn(3, 2, 8))
    assert (exact.margin == 1).all()


@pytest.mark.parametrize("sizes", [(95, 98), pytest.param((8, 10), marks=pytest.mark.slow)])
def test_the_method_depends_on_the_size_alone_under_dynamic_shapes(sizes):
    torch._dynamo.reset()
    operator = wavezoo.create_operator(2, 2)
    compiled = torch.compile(operator, fullgraph=True, dynamic=True, backend="aot_eager")
    for size in sizes:
        x = torch.randn(1, 2, size, size, generator=torch.Generator().manual_seed(size))
        torch.testing.assert_close(compiled(x), operator(x), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("factor", [1.5, 2, 0.5])
@pytest.mark.parametrize(
    "choices",
    [
        {},
        {"laplacian": "fractional"},
        {"laplacian": "cosine"},
        {"damping": "viscous", "speed": "constant"},
        {"integrator": "exact", "speed": "constant"},
        {"integrator": "trigonometric", "drift": "uniform"},
        {"potential": "klein_gordon"},
        {"initial_velocity": "projected", "readout": "projected"},
        {"courant_guard": "off", "integrator": "rk4"},
    ],
)
def test_grid_spacing_keeps_the_physics(choices, factor):
    torch.manual_seed(0)
    size = 48
    operator = wavezoo.create_operator(4, 1, dt=0.3, **choices).double()

    def waves(size):
        x = (torch.arange(size, dtype=torch.float64) + 0.5) / size
        k = math.pi * torch.arange(6, dtype=torch.float64)
        # Even about both walls, so that they fit reflecting boundaries, and periodic ones nearly.
        return (torch.randn(2, 4, 6, 1, generator=torch.Generator().manual_seed(0)) * (2 * k[:, None] * x).cos()).sum(2)

    fine = int(size * factor)
    expected = torch.nn.functional.interpolate(operator(waves(size)), size=fine, mode="linear", align_corners=False)
    ignored = (operator(waves(fine)) - expected).norm() / expected.norm()
    operator.set_grid_spacing(1 / factor)
    kept = (operator(waves(fine)) - expected).norm() / expected.norm()
    assert operator.steps == (4 if factor < 1 else 4 * factor)
    # What is left are the errors of the time steps and of this comparison's interpolation.
    assert kept < 0.05 < ignored


def test_a_graph_has_no_finer_grid():
    operator = wavezoo.create_operator(2, 1, laplacian={"name": "graph", "edges": [[0, 1], [1, 2]]})
    operator.set_grid_spacing(1)
    with pytest.raises(wavezoo.WavezooError, match="one grid only"):
        operator.set_grid_spacing(0.5)


@pytest.mark.parametrize("ndim", [1, 2])
def test_the_layout_of_what_fields_give_does_not_reach_the_steps(ndim):
    operator = wavezoo.create_operator(4, ndim, initial_velocity="projected", damping_field="pointwise")
    x = torch.randn(2, *[6] * ndim, 4).movedim(-1, 1)
    assert not x.is_contiguous()
    given = operator.fields(x)
    assert all(each is not None and each.is_contiguous() for each in given)


def test_a_time_step_that_is_not_learned_is_no_parameter():
    torch.manual_seed(0)
    fixed = wavezoo.create_operator(2, 1, learn_dt=False, dt=0.3).double()
    learned = wavezoo.create_operator(2, 1, dt=0.3).double()
    assert "log_dt" not in dict(fixed.named_parameters())
    assert learned.log_dt in set(learned.physical_parameters())
    learned.load_state_dict(fixed.state_dict(), strict=False)
    assert torch.allclose(fixed(random(1, 2, 8)), learned(random(1, 2, 8)))


@pytest.mark.parametrize("readout", ["displacement", "projected"])
def test_physical_parameters_are_all_but_projections(readout):
    operator = wavezoo.create_operator(
        2, 1, "stepped", readout=readout, laplacian="fractional", potential="klein_gordon", drift="uniform"
    )
    names = {id(parameter): name for name, parameter in operator.named_parameters()}
    physical = {names[id(parameter)] for parameter in operator.physical_parameters()}
    assert set(names.values()) - physical == {name for name in names.values() if "projection" in name}
