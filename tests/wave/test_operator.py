import copy
import math
import pickle

import pytest
import torch

import wavezoo
from wavezoo.config.presets import PRESETS
from wavezoo.testing.reference import dense_finite_difference_laplacian, dense_spectral_laplacian, reference_output
from wavezoo.wave.spectral.basis import method_on

GRIDS = [(8,), (9,), (6, 6), (5, 8), (7, 5)]


def random(*shape, dtype=torch.float64, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).to(dtype)


LAPLACIANS = {
    "fft": ({"name": "spectral", "method": "fft"}, dense_spectral_laplacian),
    "matmul": ({"name": "spectral", "method": "matmul"}, dense_spectral_laplacian),
    "order 2": (
        {"name": "finite_difference", "order": 2},
        lambda grid: dense_finite_difference_laplacian(grid, (-2, 1)),
    ),
}


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


def test_an_empty_grid_is_refused():
    with pytest.raises(wavezoo.WavezooError, match="no grid cell"):
        wavezoo.create_operator(3, 2)(torch.zeros(2, 3, 0, 4))


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
def test_what_fields_give_is_laid_out_in_memory_as_the_input_is(ndim):
    operator = wavezoo.create_operator(4, ndim, initial_velocity="projected", damping_field="pointwise")
    x = torch.randn(2, *[6] * ndim, 4).movedim(-1, 1)
    for laid_out in (x, x.contiguous()):
        assert all(each is not None and each.stride() == laid_out.stride() for each in operator.fields(laid_out))


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
