import warnings
from contextlib import nullcontext

import pytest
import torch
from torch import nn

import wavezoo
from wavezoo.bench.timing import Contender, kept_mib
from wavezoo.plugins.registry import registry
from wavezoo.testing.reference import dense_spectral_laplacian, reference_output
from wavezoo.wave.adjoint import LARGEST_AMPLIFICATION
from wavezoo.wave.gradients import GRADIENTS

MIB = 2**20
REVERSIBLE = [name for name, scheme in registry.schemes("integrators").items() if scheme.reversible]
IRREVERSIBLE = [name for name, scheme in registry.schemes("integrators").items() if not scheme.reversible]


def random(*shape, dtype=torch.float64, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).to(dtype)


def build(gradient, ndim=2, dtype=torch.float64, **choices):
    torch.manual_seed(0)
    return wavezoo.create_operator(3, ndim, gradient=gradient, **choices).to(dtype)


def gradients(function, operator, x, context=nullcontext):
    x = x.clone().requires_grad_()
    with context():
        output = function(x)
    weight = random(*output.shape, dtype=output.dtype, seed=1)
    return [output, *torch.autograd.grad((output * weight).sum(), [x, *operator.parameters()])]


def assert_close(actual, expected, **tolerances):
    for one, other in zip(actual, expected, strict=True):
        torch.testing.assert_close(one, other, **tolerances)


def choices_for(integrator):
    uniform = registry.scheme("integrators", integrator).requires.uniform_speed
    return {"integrator": integrator, "speed": "constant"} if uniform else {"integrator": integrator}


@pytest.mark.parametrize("gradient", GRADIENTS)
@pytest.mark.parametrize("velocity", ["zero", "projected"])
def test_equals_the_gradient_of_a_dense_reference(gradient, velocity):
    operator = build(gradient, initial_velocity=velocity, dt=0.4)
    x, laplacian = random(2, 3, 6, 5), dense_spectral_laplacian((6, 5))
    expected = gradients(lambda x: reference_output(operator, x, "stepped", laplacian), operator, x)
    assert_close(gradients(operator, operator, x), expected, rtol=1e-8, atol=1e-9)


@pytest.mark.parametrize("gradient", ["recompute", "reverse"])
@pytest.mark.parametrize("integrator", REVERSIBLE)
@pytest.mark.parametrize("readout", ["displacement", "projected"])
def test_equals_the_stored_gradient(readout, integrator, gradient):
    choices = {"readout": readout, "initial_velocity": "projected", "steps": 6, **choices_for(integrator)}
    x = random(2, 3, 6, 5)
    stored, other = build("store", **choices), build(gradient, **choices)
    assert_close(gradients(other, other, x), gradients(stored, stored, x), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("gradient", ["recompute", "reverse"])
def test_learned_laplacians_potentials_and_drifts_have_their_gradient(gradient):
    choices = {"laplacian": "fractional", "potential": "klein_gordon", "drift": "uniform", "damping_field": "pointwise"}
    x = random(2, 3, 6, 5)
    stored, other = build("store", **choices), build(gradient, **choices)
    assert_close(gradients(other, other, x), gradients(stored, stored, x), rtol=1e-9, atol=1e-9)


PHYSICS = [
    {},
    {"laplacian": {"name": "spectral", "method": "matmul"}, "steps": 16},
    {"drift": "uniform"},
    {"potential": "klein_gordon"},
    {"drift": "uniform", "potential": "sine_gordon", "initial_velocity": "zero", "readout": "velocity"},
]


@pytest.mark.parametrize("physics", PHYSICS, ids=str)
@pytest.mark.parametrize("gradient", GRADIENTS)
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_autocast_does_not_reach_the_solver(gradient, dtype, physics):
    operator = build(gradient, dtype=torch.float32, speed="constant", **physics)
    x = random(2, 3, 6, 5, dtype=torch.float32)
    expected = gradients(operator, operator, x)
    actual = gradients(operator, operator, x, lambda: torch.autocast("cpu", dtype))
    with torch.autocast("cpu", dtype):
        assert operator(x.to(dtype)).dtype == dtype
    for one, other in zip(actual, expected, strict=True):
        assert torch.equal(one, other)


@pytest.mark.parametrize("physics", PHYSICS, ids=str)
@pytest.mark.parametrize("gradient", ["recompute", "reverse"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_equals_the_stored_gradient_under_autocast_and_in_low_precision(gradient, dtype, physics):
    x = random(2, 3, 6, 5, dtype=torch.float32)
    stored, other = (build(each, dtype=torch.float32, **physics) for each in ("store", gradient))
    expected, actual = (
        gradients(each, each, x, lambda: torch.autocast("cpu", dtype, enabled=dtype != torch.float32))
        for each in (stored, other)
    )
    assert torch.equal(actual[0], expected[0])
    for one, reference in zip(actual, expected, strict=True):
        assert (one - reference).norm() <= 1e-4 * reference.norm()


@pytest.mark.parametrize("physics", PHYSICS, ids=str)
@pytest.mark.parametrize("gradient", GRADIENTS)
def test_a_model_in_bfloat16_solves_its_own_weights_in_float32(gradient, physics):
    operator = build(gradient, dtype=torch.bfloat16, speed="constant", **physics)
    exact = build("store", speed="constant", **physics)
    exact.load_state_dict(operator.state_dict())
    x = random(2, 3, 6, 5, dtype=torch.bfloat16)
    speed, gamma, _ = operator.fields(x)
    expected = exact.read(*exact.integrated(x.double(), None, speed.double(), gamma.double()))
    # What is left is the rounding of the output.
    assert ((operator(x) - expected).abs() <= 2**-8 * expected.abs() + 1e-4).all()


@pytest.mark.parametrize("gradient", GRADIENTS)
@pytest.mark.parametrize("method", ["fft", "matmul"])
def test_agrees_under_compile(gradient, method):
    torch._dynamo.reset()
    operator = build(gradient, laplacian={"name": "spectral", "method": method})
    x = random(2, 3, 6, 5)
    compiled = torch.compile(operator, fullgraph=True, backend="aot_eager")
    assert_close(gradients(compiled, operator, x), gradients(operator, operator, x), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("gradient", ["recompute", "reverse"])
def test_randomness_elsewhere_stays_as_it_is(gradient):
    def run(gradient):
        operator = build(gradient)
        model = nn.Sequential(nn.Dropout(0.3), operator, nn.Dropout(0.3), nn.Conv2d(3, 3, 1).double(), nn.Dropout(0.3))
        torch.manual_seed(3)
        return [*gradients(model, operator, random(2, 3, 6, 5)), torch.rand(3)]

    torch.manual_seed(0)
    expected = run("store")
    torch.manual_seed(0)
    assert_close(run(gradient), expected, rtol=1e-9, atol=1e-9)


def test_functional_transforms_work_with_store_and_are_refused_by_the_others():
    x, weight = random(2, 3, 6, 5), random(2, 3, 6, 5, seed=1)
    for gradient in GRADIENTS:
        operator = build(gradient)

        def loss(x):
            return (operator(x) * weight).sum()  # noqa: B023

        if gradient == "store":
            torch.testing.assert_close(torch.func.grad(loss)(x), gradients(operator, operator, x)[1])
            torch.testing.assert_close(torch.func.vmap(operator)(x[:, None]).squeeze(1), operator(x))
        else:
            with pytest.raises(RuntimeError, match=r"hooks|setup_context"):
                torch.func.grad(loss)(x)


def kept(operator, x):
    return kept_mib(Contender("operator", operator, (x,), tuple(operator.parameters())))


@pytest.mark.parametrize("gradient", ["recompute", "reverse"])
def test_what_is_kept_does_not_depend_on_the_steps_and_is_less_than_attention_keeps(gradient):
    x = torch.randn(8, 128, 1024, requires_grad=True)
    few, many = (kept(wavezoo.create_operator(128, 1, gradient=gradient, steps=steps), x) for steps in (2, 12))
    assert few == many
    assert few < 24
    if gradient == "recompute":
        assert few == x.untyped_storage().nbytes() / MIB


def test_store_keeps_one_field_a_step():
    x = torch.randn(8, 128, 1024, requires_grad=True)
    few, many = (kept(wavezoo.create_operator(128, 1, steps=steps), x) for steps in (2, 12))
    assert many - few == pytest.approx(10 * x.untyped_storage().nbytes() / MIB, rel=0.01)


@pytest.mark.parametrize("integrator", IRREVERSIBLE)
def test_reverse_is_refused_for_integrators_that_are_not_reversible(integrator):
    with pytest.raises(wavezoo.WavezooError, match=r'not reversible.*gradient="recompute"'):
        build("reverse", integrator=integrator, courant_guard="off")


def test_reverse_is_refused_for_damping_that_is_not_reversible():
    with pytest.raises(wavezoo.WavezooError, match="LinearDamping is not reversible"):
        build("reverse", damping="linear")


def test_reverse_recomputes_and_says_so_where_damping_would_amplify_rounding():
    strong = {"damping_field": {"name": "constant", "initial": 4.0}, "steps": 8}
    x = random(2, 3, 6, 5)
    stored, operator = build("store", **strong), build("reverse", **strong)
    with pytest.warns(wavezoo.ReverseWarning, match=f"more than {LARGEST_AMPLIFICATION:g}"):
        actual = gradients(operator, operator, x)
    assert_close(actual, gradients(stored, stored, x))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        weak = build("reverse", damping_field={"name": "constant", "initial": 1.0}, steps=8)
        gradients(weak, weak, x)


@pytest.mark.parametrize("gradient", ["store", "recompute"])
def test_the_backward_pass_can_be_differentiated_again(gradient):
    operator = build(gradient, ndim=1)
    assert torch.autograd.gradgradcheck(operator, random(1, 3, 5).requires_grad_())


def test_reverse_refuses_second_derivatives():
    operator = build("reverse", ndim=1)
    x = random(1, 3, 5).requires_grad_()
    with pytest.raises(wavezoo.WavezooError, match=r"no second derivative.*create_graph"):
        torch.autograd.grad(operator(x).sum(), x, create_graph=True)


@pytest.mark.parametrize("gradient", GRADIENTS)
@pytest.mark.parametrize("preset", ["stepped", "closed_form"])
def test_parameters_that_stand_in_for_others_have_their_gradient_outside(preset, gradient):
    choices = {"potential": "klein_gordon", "laplacian": "fractional", "readout": "projected", "preset": preset}
    x, weight = random(1, 3, 5), random(1, 3, 5, seed=1)
    found = []
    for each in ("store", gradient):
        operator = build(each, ndim=1, **choices)
        given = {name: (value.detach() + 0.3).requires_grad_() for name, value in operator.named_parameters()}
        output = torch.func.functional_call(operator, given, (x,))
        found.append(torch.autograd.grad((output * weight).sum(), list(given.values())))
    assert_close(found[1], found[0], rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("gradient", GRADIENTS)
def test_a_parameter_changed_before_the_backward_pass_is_an_error(gradient):
    operator = build(gradient, ndim=1)
    output = operator(random(1, 3, 5)).sum()
    with torch.no_grad():
        for parameter in operator.parameters():
            parameter.add_(0.1)
    with pytest.raises((RuntimeError, wavezoo.WavezooError), match=r"modified|changed in place"):
        output.backward()


@pytest.mark.parametrize(
    "choices", [{}, {"damping": "linear"}, {"potential": "klein_gordon"}, {"preset": "closed_form"}]
)
@pytest.mark.filterwarnings("ignore:`torch.jit.script` is deprecated:FutureWarning")
def test_forward_mode_equals_the_central_difference(choices):
    for method in ("fft", "matmul"):
        operator = build("store", ndim=1, laplacian={"name": "cosine", "method": method}, **choices)
        x, direction, h = random(1, 3, 5), random(1, 3, 5, seed=1), 1e-5
        value, slope = torch.func.jvp(operator, (x,), (direction,))
        assert torch.equal(value, operator(x))
        difference = (operator(x + h * direction) - operator(x - h * direction)) / (2 * h)
        torch.testing.assert_close(slope, difference, rtol=1e-7, atol=1e-8)
        backwards = torch.func.jacrev(operator)(x)
        torch.testing.assert_close(torch.func.jacfwd(operator)(x), backwards, rtol=1e-8, atol=1e-9)


def test_gradients_of_single_samples_are_those_of_each_alone():
    operator = build("store", ndim=1, potential="klein_gordon", damping_field="pointwise")
    x, parameters = random(4, 3, 5), dict(operator.named_parameters())

    def loss(parameters, sample):
        return torch.func.functional_call(operator, parameters, (sample[None],)).square().sum()

    found = torch.func.vmap(torch.func.grad(loss), in_dims=(None, 0))(parameters, x)
    for index, sample in enumerate(x):
        alone = torch.func.grad(loss)(parameters, sample)
        for name, value in alone.items():
            torch.testing.assert_close(found[name][index], value, rtol=1e-9, atol=1e-10)
