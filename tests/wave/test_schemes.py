"""What single schemes promise beyond their contract."""

import math

import pytest
import torch

import wavezoo
from wavezoo.plugins.registry import registry
from wavezoo.wave.analysis import dense_matrix
from wavezoo.wave.damping.exponential import ExponentialDamping
from wavezoo.wave.damping.none import NoDamping
from wavezoo.wave.damping.viscous import ViscousDamping
from wavezoo.wave.fields.constant import ConstantField
from wavezoo.wave.integrators.exact import Exact
from wavezoo.wave.integrators.implicit_midpoint import ImplicitMidpoint
from wavezoo.wave.integrators.trigonometric import Trigonometric
from wavezoo.wave.laplacians.anisotropic import AnisotropicLaplacian
from wavezoo.wave.laplacians.finite_difference import FiniteDifferenceLaplacian
from wavezoo.wave.laplacians.fractional import FractionalLaplacian
from wavezoo.wave.laplacians.graph import GraphLaplacian
from wavezoo.wave.laplacians.spectral import SpectralLaplacian
from wavezoo.wave.system import WaveSystem


def random(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def dense_solution(curvature, c, friction, u, v, time):
    """The matrix exponential of ``u' = v``, ``v' = c² L u + friction v``."""
    size = len(u)
    generator = torch.zeros(2 * size, 2 * size, dtype=torch.float64)
    generator[:size, size:] = torch.eye(size)
    generator[size:, :size] = c.square()[:, None] * curvature
    generator[size:, size:] = friction
    state = torch.linalg.matrix_exp(generator * time) @ torch.cat([u, v])
    return state[:size], state[size:]


@pytest.mark.parametrize("boundary", ["periodic", "reflecting", "zero"])
def test_half_a_laplacian_twice_is_a_laplacian(boundary):
    half = FractionalLaplacian(2, 2, alpha=1.0, boundary=boundary).double()
    whole = FiniteDifferenceLaplacian(2, 2, boundary=boundary)
    u = random(1, 2, 6, 5)
    twice = -half(half(u))
    modes = whole.modes(u)
    exact = {"periodic": "spectral", "reflecting": "cosine", "zero": "sine"}[boundary]
    torch.testing.assert_close(twice, registry.scheme("laplacians", exact)(2, 2)(u), rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(modes.inverse(modes.transform(u)), u)


def test_a_speed_tensor_tells_one_diagonal_from_the_other():
    laplacian = AnisotropicLaplacian(1, 2, tensor=True).double()
    laplacian.weight.data = torch.tensor([[0.3, 0.8]], dtype=torch.float64)
    (a, b), (_, d) = laplacian.tensor[0]
    y, x = torch.meshgrid(torch.arange(12.0), torch.arange(10.0), indexing="ij")
    for sign in (1, -1):
        k_x, k_y = 2 * math.pi / 10 * 2, sign * 2 * math.pi / 12
        wave = torch.cos(k_x * x.double() + k_y * y.double())[None, None]
        eigenvalue = -(a * k_x**2 + d * k_y**2 + 2 * b * k_x * k_y)
        torch.testing.assert_close(laplacian(wave), eigenvalue * wave)
    assert torch.linalg.eigvalsh(laplacian.tensor[0]).min() > 0
    torch.testing.assert_close(a + d, torch.tensor(2.0, dtype=torch.float64))


def test_a_ring_and_a_path_are_finite_differences():
    u = random(2, 3, 9)
    for edges, boundary in (
        ([[i, (i + 1) % 9] for i in range(9)], "periodic"),
        ([[i, i + 1] for i in range(8)], "reflecting"),
    ):
        expected = FiniteDifferenceLaplacian(3, 1, boundary=boundary)(u)
        torch.testing.assert_close(GraphLaplacian(3, 1, edges=edges)(u), expected)


def test_a_normalised_graph_has_eigenvalues_up_to_two():
    graph = GraphLaplacian(1, 1, edges=[[0, 1], [1, 2], [2, 3], [3, 0]], normalized=True)
    eigenvalues = torch.linalg.eigvalsh(dense_matrix(graph, (4,)))
    torch.testing.assert_close(eigenvalues.min(), torch.tensor(-2.0, dtype=torch.float64))
    assert abs(graph.spectral_radius((4,)) - 2) < 0.02


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"edges": [[0, 0]]}, "not a pair of two different nodes"),
        ({"edges": [[0, 5]], "nodes": 3}, "from 0 to 2"),
        ({"edges": [[0, 1], [1, 0]]}, "given twice"),
        ({"edges": [[0, 1]], "weights": [-1.0]}, "positive numbers"),
        ({"edges": [[0, 1]], "weights": [1.0, 1.0]}, "positive numbers"),
        ({"edges": [], "nodes": 0}, "at least 1"),
    ],
)
def test_bad_graphs_are_refused(options, message):
    with pytest.raises(wavezoo.WavezooError, match=message):
        GraphLaplacian(1, 1, **options)


def test_a_graph_and_fields_of_another_size():
    operator = wavezoo.create_operator(2, 1, laplacian={"name": "graph", "edges": [[0, 1], [1, 2]]})
    assert operator(torch.zeros(1, 2, 3)).shape == (1, 2, 3)
    with pytest.raises(wavezoo.WavezooError, match="4 nodes do not fit a graph of 3"):
        operator(torch.zeros(1, 2, 4))
    with pytest.raises(wavezoo.WavezooError, match="graph edges is missing"):
        wavezoo.create_operator(2, 1, laplacian="graph")
    with pytest.raises(wavezoo.WavezooError, match="number of grid axes"):
        wavezoo.create_operator(2, 2, laplacian={"name": "graph", "edges": [[0, 1]]})


@pytest.mark.parametrize("gamma", [0.0, 0.3, 2 * 0.7 * 2 * math.pi / 16, 5.0, 200.0])
@pytest.mark.parametrize("damping", [ExponentialDamping(1, 1), ViscousDamping(1, 1)])
def test_the_exact_integrator_solves_oscillating_critical_and_overdamped_modes(damping, gamma):
    laplacian = SpectralLaplacian(1, 1)
    u, v = random(16), random(16, seed=1)
    c, gammas = torch.full((1, 1, 1), 0.7, dtype=torch.float64), torch.full((1, 1, 1), gamma, dtype=torch.float64)
    field = u.view(1, 1, -1)
    system = WaveSystem(laplacian.bind(field), c.square(), damping, gammas, modes=lambda: laplacian.modes(field))
    curvature = dense_matrix(laplacian, (16,))
    friction = gamma * curvature if damping.in_modes else -gamma * torch.eye(16, dtype=torch.float64)
    expected = dense_solution(curvature, c.flatten().expand(16), friction, u, v, 3.0)
    actual = Exact().advance(system, field, v.view(1, 1, -1), 1.0, 3)
    for one, other in zip(actual, expected, strict=True):
        torch.testing.assert_close(one.flatten(), other, rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize("steps", [1, 1000])
def test_the_exact_integrator_costs_one_pair_of_transforms_whatever_the_steps(steps, monkeypatch):
    transforms = []
    for name in ("rfftn", "irfftn"):
        original = getattr(torch.fft, name)
        monkeypatch.setattr(
            torch.fft,
            name,
            lambda *a, original=original, name=name, **k: (transforms.append(name), original(*a, **k))[1],
        )
    laplacian = {"name": "spectral", "method": "fft"}
    operator = wavezoo.create_operator(2, 1, integrator="exact", speed="constant", laplacian=laplacian, steps=steps)
    operator(torch.randn(1, 2, 16))
    assert transforms == ["rfftn", "irfftn"]


def test_klein_gordon_waves_oscillate_faster_with_every_integrator():
    speed = {"name": "constant", "initial": 0.5}
    potential = {"name": "klein_gordon", "mass": 0.6}
    wave = torch.cos(2 * math.pi * torch.arange(16) / 16).double().view(1, 1, -1)
    omega = math.sqrt((0.5 * 2 * math.pi / 16) ** 2 + 0.6**2)
    for name, integrator in registry.schemes("integrators").items():
        if integrator.order < 2 or integrator.stability_limit == 0:
            continue
        operator = wavezoo.create_operator(
            1, 1, integrator=name, damping="none", speed=speed, potential=potential, dt=0.05, steps=40
        ).double()
        expected = math.cos(omega * 2.0) * wave
        torch.testing.assert_close(operator(wave), expected, rtol=2e-3, atol=2e-3, msg=name)


def test_small_pendulums_are_springs():
    x = 1e-4 * random(1, 2, 16)
    # Without the guard, which keeps more distance from the limit where a potential is not linear.
    sine, spring = (
        wavezoo.create_operator(2, 1, potential=name, speed="constant", courant_guard="off").double()
        for name in ("sine_gordon", "klein_gordon")
    )
    spring.load_state_dict(sine.state_dict())
    torch.testing.assert_close(sine(x), spring(x), rtol=1e-6, atol=1e-12)


def rough_medium(laplacian, field, generator):
    speeds = torch.rand(1, 1, field.shape[-1], generator=generator, dtype=torch.float64).square() + 1e-3
    return WaveSystem(
        laplacian.bind(field), speeds, NoDamping(1, 1), torch.zeros(1, 1, 1), modes=lambda: laplacian.modes(field)
    )


@pytest.mark.parametrize("dt", [0.5, 3.0, 10.0, 1000.0])
@pytest.mark.parametrize("integrator", [Trigonometric(), ImplicitMidpoint(iterations=1), ImplicitMidpoint()])
def test_no_step_is_too_large_in_a_rough_medium(integrator, dt):
    for seed in range(2):
        field, laplacian = random(1, 1, 24, seed=seed), SpectralLaplacian(1, 1)
        field = field - field.mean()
        system = rough_medium(laplacian, field, torch.Generator().manual_seed(seed))
        state = integrator.init(system, field, torch.zeros_like(field))
        for _ in range(500):
            state = integrator.step(system, state, dt)
        assert state.u.abs().max() <= 50 * field.abs().max()


@pytest.mark.parametrize("iterations", [1, 2, 5])
def test_implicit_midpoint_keeps_the_energy_however_few_the_iterations(iterations):
    field, laplacian = random(1, 1, 24), SpectralLaplacian(1, 1)
    system = rough_medium(laplacian, field, torch.Generator().manual_seed(0))
    integrator = ImplicitMidpoint(iterations=iterations)
    state = integrator.init(system, field, torch.zeros_like(field))
    before = system.energy(state.u, state.v)
    for _ in range(100):
        state = integrator.step(system, state, 4.0)
    torch.testing.assert_close(system.energy(state.u, state.v), before, rtol=1e-9, atol=0)


def test_conjugate_gradients_and_modes_solve_the_same_equation():
    field, laplacian = random(2, 1, 12), SpectralLaplacian(1, 1)
    gamma = torch.full((1, 1, 1), 0.3, dtype=torch.float64)
    ends = []
    for size in (1, 12):
        c2 = torch.full((1, 1, size), 0.4, dtype=torch.float64)
        system = WaveSystem(
            laplacian.bind(field), c2, ExponentialDamping(1, 1), gamma, modes=lambda: laplacian.modes(field)
        )
        integrator = ImplicitMidpoint(iterations=12)
        ends.append(integrator.step(system, integrator.init(system, field, field.roll(1, -1)), 1.5))
    torch.testing.assert_close(ends[0].u, ends[1].u)
    torch.testing.assert_close(ends[0].v, ends[1].v)


def test_a_drift_shifts_the_solution_at_rest():
    torch.manual_seed(0)
    moving = wavezoo.create_operator(2, 2, drift={"name": "uniform", "speed": 1.0}, dt=0.5, steps=4).double()
    resting = wavezoo.create_operator(2, 2, dt=0.5, steps=4).double()
    resting.load_state_dict({k: v for k, v in moving.state_dict().items() if not k.startswith("drift")})
    # Two units of time at these velocities, in cells along (y, x).
    moving.drift.velocity.data = torch.tensor([[1.0, 0.0], [-0.5, 1.5]], dtype=torch.float64)
    # On odd grids, where every mode has a direction.
    x = random(1, 2, 9, 7)
    expected = torch.stack([resting(x)[0, 0].roll(2, 0), resting(x)[0, 1].roll((-1, 3), (0, 1))])[None]
    torch.testing.assert_close(moving(x), expected, rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(moving.simulate(x).displacement[-1], moving(x).detach())


def test_a_sponge_absorbs_what_a_wall_reflects():
    pulse = torch.exp(-((torch.arange(64.0) - 32) ** 2) / 20).double().view(1, 1, -1)
    left = {}
    for name in ("constant", "sponge"):
        operator = wavezoo.create_operator(
            1,
            1,
            laplacian="cosine",
            speed={"name": "constant", "initial": 0.5},
            dt=1.0,
            damping_field={"name": name, "initial": 1e-4},
        ).double()
        left[name] = operator.simulate(pulse, steps=300, every=300).wecs.item()
    assert left["constant"] > 0.9
    assert left["sponge"] < 0.01


def test_a_sponge_wraps_any_field():
    field = {"name": "sponge", "inner": "pointwise", "width": 0.2}
    operator = wavezoo.create_operator(2, 1, damping_field=field)
    assert operator.damping_field.depends_on_input
    x = torch.randn(1, 2, 20)
    torch.testing.assert_close(operator.damping_field(x)[..., 8:12], operator.damping_field.inner(x)[..., 8:12])
    with pytest.raises(wavezoo.WavezooError, match="nearest first"):
        wavezoo.create_operator(2, 1, damping_field={"name": "sponge", "inner": "pointwize"})


@pytest.mark.parametrize("ndim", [1, 2])
def test_a_fourier_field_is_the_same_medium_on_finer_grids(ndim):
    torch.manual_seed(0)
    field = registry.scheme("fields", "fourier")(3, ndim, initial=0.5).double()
    field.weight.data = random(*field.weight.shape)
    coarse, fine = (field(torch.zeros(1, 3, *[size] * ndim, dtype=torch.float64)) for size in (6, 18))
    # The middle one of every three fine cells lies where a coarse one does.
    torch.testing.assert_close(fine[(..., *[slice(1, None, 3)] * ndim)], coarse)
    assert coarse.std() > 0.01


@pytest.mark.parametrize("name", registry.schemes("fields"))
def test_a_maximum_bounds_every_learned_value(name):
    field = registry.scheme("fields", name)(3, 1, initial=0.5, maximum=0.8)
    inner = getattr(field, "inner", field)
    for parameter in inner.parameters():
        parameter.data.mul_(100).add_(100)
    x = 1e4 * random(2, 3, 8).float()
    assert inner(x).max() <= 0.8
    with pytest.raises(wavezoo.WavezooError, match=r"maximum of a field is 0\.4"):
        registry.scheme("fields", name)(3, 1, initial=0.5, maximum=0.4)


@pytest.mark.parametrize("channels", [1, 2, 7])
def test_a_spread_is_even_in_the_logarithm(channels):
    values = ConstantField(channels, 2, initial=1.4, spread=4.5).double()(torch.zeros(1, channels, 3, 3)).flatten()
    assert math.isclose(values.log().mean().exp().item(), 1.4, rel_tol=1e-6)
    if channels > 1:
        expected = 1.4 * 4.5 ** torch.linspace(-1, 1, channels).double()
        torch.testing.assert_close(values, expected, rtol=1e-6, atol=0)


@pytest.mark.parametrize("laplacian", ["spectral", "cosine", "sine"])
@pytest.mark.parametrize("size", [14, 28])
def test_bfloat16_products_cost_about_a_percent(laplacian, size):
    outputs = []
    x = random(2, 8, size, size).float().requires_grad_()
    for product in ("full", "bfloat16"):
        torch.manual_seed(0)
        choice = {"name": laplacian, "method": "matmul", "product": product}
        # The guard refuses what has lost its symmetry to rounding.
        output = wavezoo.create_operator(8, 2, laplacian=choice, courant_guard="off")(x)
        assert output.dtype == torch.float32
        outputs.append(torch.cat([output, torch.autograd.grad(output.square().sum(), x)[0]]))
    error = (outputs[1] - outputs[0]).norm() / outputs[0].norm()
    # A few roundings of the field and of the matrix, each of half a unit in the last place at most.
    assert 1e-4 < error < 4 * torch.finfo(torch.bfloat16).eps


@pytest.mark.parametrize(
    ("choices", "message"),
    [
        ({"laplacian": {"name": "spectral", "product": "float8"}}, "product of the Laplacian is 'float8'"),
        ({"laplacian": {"name": "spectral", "product": "bfloat16"}}, 'use method="matmul"'),
        ({"laplacian": {"name": "fractional", "alpha": 2.0}}, "alpha is 2.0.*use the laplacian spectral"),
        ({"laplacian": {"name": "fractional", "alpha": 0.0}}, "alpha is 0.0"),
        ({"laplacian": {"name": "fractional", "boundary": "open"}}, "boundary of the Laplacian is 'open'"),
        ({"laplacian": {"name": "anisotropic", "boundary": "closed"}}, "boundary of the Laplacian"),
        ({"laplacian": {"name": "anisotropic", "tensor": True, "boundary": "zero"}}, "speed tensor with boundary"),
        ({"laplacian": {"name": "learned_stencil", "size": 1}}, "size of the learned stencil is 1"),
        ({"integrator": {"name": "implicit_midpoint", "iterations": 0}}, "iterations is 0"),
        ({"potential": {"name": "klein_gordon", "mass": 0.0}}, "mass is 0.0"),
        ({"potential": {"name": "sine_gordon", "mass": -1.0}}, "mass is -1.0"),
        ({"potential": {"name": "cubic", "kappa": 0.0}, "courant_guard": "off"}, "kappa is 0.0"),
        ({"potential": "cubic"}, "stiffens without bound.*courant_guard"),
        ({"drift": {"name": "uniform", "speed": -1.0}}, "speed of the drift is -1.0"),
        ({"drift": "uniform", "laplacian": "cosine"}, "periodic boundaries.*boundary = 'periodic': spectral"),
        ({"integrator": "exact"}, "a speed that is the same everywhere.*varies_in_space = False: constant"),
        (
            {"integrator": "exact", "speed": "constant", "damping_field": "pointwise"},
            "a damping that is the same everywhere.*varies_in_space = False: constant",
        ),
        (
            {"integrator": "exact", "speed": "constant", "damping": "linear"},
            "exact_decay = True: exponential, viscous, none",
        ),
        ({"integrator": "exact", "speed": "constant", "potential": "sine_gordon"}, "quadratic potential.*klein_gordon"),
        ({"integrator": "trigonometric", "damping_field": "pointwise"}, "damping that is the same everywhere"),
        ({"damping": "viscous"}, "a speed that is the same everywhere"),
        ({"causal": True}, "SpectralLaplacian is not causal: every output position sees later"),
        ({"gradient": "forget"}, "gradient is 'forget'"),
        ({"damping_field": {"name": "sponge", "width": 0.7}}, "width of the sponge is 0.7"),
        ({"speed": {"name": "constant", "spread": 0.5}}, "spread is 0.5; give a finite number"),
        ({"speed": {"name": "constant", "maximum": 1.0, "spread": 2.0}}, "spread is 2.0.*below the maximum 1.0"),
        ({"speed": {"name": "fourier", "features": 0}}, "features is 0"),
        ({"speed": {"name": "fourier", "bandwidth": 0.0}}, "bandwidth is 0.0"),
        ({"steps": True}, "steps is True"),
    ],
    ids=str,
)
def test_bad_choices_are_refused_with_what_would_do(choices, message):
    with pytest.raises(wavezoo.WavezooError, match=message):
        wavezoo.create_operator(3, 2, **choices)
