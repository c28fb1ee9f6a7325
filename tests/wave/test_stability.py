import math

import pytest
import torch

import wavezoo
from wavezoo.plugins.registry import registry
from wavezoo.testing.runs import largest_amplification
from wavezoo.wave.stability import STABILITY_MARGIN, bent, bent_together

LIMITED = [name for name, scheme in registry.schemes("integrators").items() if scheme.stability_limit > 0]
BOUNDED = [name for name, scheme in registry.schemes("potentials").items() if scheme.bounded_stiffness]


def random(*shape, dtype=torch.float64, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).to(dtype)


def fits(**choices):
    """The operator; a skipped test where the schemes do not fit each other."""
    try:
        return wavezoo.create_operator(2, 1, **choices).double()
    except wavezoo.WavezooError:
        pytest.skip("refused when it is built")


def alternating(operator, speeds, gammas, size=16, dtype=torch.float64):
    """A medium that changes from cell to cell where the schemes allow it, else from channel to channel."""
    requires = [operator.integrator.requires, operator.damping.requires]
    u = random(1, 2, size, dtype=dtype)
    odd = torch.arange(size) % 2

    def field(values, uniform):
        if uniform:
            return torch.tensor(values, dtype=torch.float64).view(1, 2, 1)
        return torch.where(odd == 0, *torch.tensor(values, dtype=torch.float64)).expand(1, 2, -1)

    gamma = field(gammas, any(each.uniform_damping for each in requires)) if operator.damping.uses_gamma else None
    return u, operator.medium(u, field(speeds, any(each.uniform_speed for each in requires)), gamma)


def growth(operator, u, system, steps):
    state = operator.integrator.init(system, u, 0.3 * u.flip(-1))
    for _ in range(steps):
        state = operator.integrator.step(system, state, 1.0)
    return (state.u.abs().max() / u.abs().max()).item()


SPEEDS = [(1e3, 1e3), (1e3, 1e-2), (2.0, 0.5)]
GAMMAS = [(0.01, 0.01), (100.0, 1e-6), (1.0, 10.0)]


@pytest.mark.parametrize("damping", registry.schemes("damping"))
@pytest.mark.parametrize("integrator", LIMITED)
def test_with_the_guard_no_medium_makes_waves_grow(integrator, damping):
    operator = fits(integrator=integrator, damping=damping, dt=1.0)
    for speeds in SPEEDS:
        for gammas in GAMMAS if operator.damping.uses_gamma else GAMMAS[:1]:
            u, system = alternating(operator, speeds, gammas)
            # A mean velocity that nothing damps carries a constant along.
            assert growth(operator, u, system, 400) <= 400, (speeds, gammas)


@pytest.mark.slow
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("integrator", LIMITED)
def test_with_the_guard_no_medium_makes_waves_grow_in_ten_thousand_steps(integrator, dtype):
    for damping in registry.schemes("damping"):
        try:
            operator = wavezoo.create_operator(2, 1, integrator=integrator, damping=damping, dt=1.0)
        except wavezoo.WavezooError:
            continue
        for speeds in SPEEDS:
            for gammas in GAMMAS:
                u, system = alternating(operator, speeds, gammas, dtype=dtype)
                # A mean velocity that nothing damps carries a constant along.
                assert growth(operator, u, system, 10_000) <= 1e4, (damping, speeds, gammas)


@pytest.mark.parametrize("damping", registry.schemes("damping"))
@pytest.mark.parametrize("integrator", LIMITED)
def test_with_the_guard_no_damping_makes_a_step_amplify(integrator, damping):
    operator = fits(integrator=integrator, damping=damping, speed="constant", dt=1.0)
    numbers = torch.logspace(-2, 4, 60, dtype=torch.float64)
    u = numbers.expand(1, 2, -1)
    system = operator.medium(u, u, u if operator.damping.uses_gamma else None)
    omega_dt = (system.speed_squared * operator.laplacian.spectral_radius((60,))).sqrt()[0, 0]
    gamma_dt = system.gamma[0, 0] if operator.damping.uses_gamma else numbers
    assert largest_amplification(operator.integrator, operator.damping, omega_dt, gamma_dt) <= 1 + 1e-9


@pytest.mark.parametrize("amplitude", [0.3, 1.0, 3.0, 10.0, 30.0])
@pytest.mark.parametrize("potential", BOUNDED)
def test_with_the_guard_a_stiff_potential_heats_no_medium(potential, amplitude):
    stiff = {"name": potential, "mass": 5.0}
    fast = {"name": "constant", "initial": 5.0}
    operator = wavezoo.create_operator(1, 1, damping="none", potential=stiff, speed=fast).double()
    run = operator.simulate(amplitude * random(4, 1, 32), steps=1000, every=50)
    assert (run.energy <= 3 * run.energy[0]).all()
    assert (run.margin > 0).all()


@pytest.mark.parametrize("courant", [0.1, 0.25, 0.35])
def test_the_guard_leaves_alone_what_is_safe(courant):
    speed = {"name": "constant", "initial": courant}
    operator = wavezoo.create_operator(1, 1, damping="none", speed=speed, dt=1.0)
    found = operator.simulate(random(1, 1, 64, dtype=torch.float32), steps=1).courant
    assert courant * (1 - 0.002) <= found.item() <= courant * (1 + 1e-6)


def test_a_pulse_travels_as_far_as_it_is_told():
    speed = {"name": "constant", "initial": 0.35}
    operator = wavezoo.create_operator(1, 1, damping="none", speed=speed, dt=1.0, steps=200).double()
    cells = torch.arange(256, dtype=torch.float64)
    pulse = torch.exp(-((cells - 128) ** 2) / 50).view(1, 1, -1)
    travelled = (operator(pulse)[0, 0, 128:].argmax()).item()
    assert abs(travelled - 70) <= 1


def test_a_bent_speed_never_passes_the_limit_and_decreases_nowhere():
    ratio = torch.logspace(-3, 12, 400)
    for power in (1, 2):
        value = bent(ratio, power)
        assert (value.diff() >= -1e-6).all()
        assert (value <= 1 + 1e-6).all()
        assert value[-1] == 1
        torch.testing.assert_close(value[:50], ratio[:50] ** power, rtol=1e-5, atol=0)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_derivative_of_the_limit_decays_and_does_not_cancel(dtype):
    ratio = torch.logspace(-2, 9, 100, dtype=dtype).requires_grad_()
    (slope,) = torch.autograd.grad(bent(ratio, 2).sum(), ratio)
    exact = 2 * ratio.detach().double() / (1 + ratio.detach().double() ** 8) ** 1.25
    torch.testing.assert_close(slope.double(), exact, rtol=1e-4 if dtype == torch.float32 else 1e-12, atol=1e-30)


@pytest.mark.filterwarnings("ignore:`torch.jit.script` is deprecated:FutureWarning")
def test_bent_values_have_all_derivatives():
    ratio = torch.tensor([0.1, 0.9, 1.0, 1.7, 30.0], dtype=torch.float64, requires_grad=True)
    other = torch.tensor([0.3, 0.01, 2.0, 0.5, 9.0], dtype=torch.float64, requires_grad=True)
    for power in (1, 2):
        assert torch.autograd.gradcheck(lambda r: bent(r, power), ratio, check_forward_ad=True)  # noqa: B023
        assert torch.autograd.gradgradcheck(lambda r: bent(r, power), ratio)  # noqa: B023
    assert torch.autograd.gradcheck(bent_together, (ratio, other), check_forward_ad=True)
    assert torch.autograd.gradgradcheck(bent_together, (ratio, other))


@pytest.mark.parametrize("log_dt", [45.0, 80.0, 200.0])
@pytest.mark.parametrize("potential", [None, *BOUNDED])
def test_the_longest_time_step_gives_numbers(potential, log_dt):
    operator = wavezoo.create_operator(2, 1, potential=potential)
    operator.log_dt.data.fill_(log_dt)
    x = random(2, 2, 8, dtype=torch.float32).requires_grad_()
    output = operator(x)
    output.sum().backward()
    assert output.isfinite().all()
    assert all(each.grad.isfinite().all() for each in (x, *operator.parameters()))


@pytest.mark.parametrize("potential", [None, *BOUNDED])
def test_a_speed_that_underflows_has_a_score(potential):
    operator = wavezoo.create_operator(2, 1, potential=potential, speed="constant", initial_velocity="projected")
    operator.speed.weight.data.fill_(-200.0)
    assert operator.simulate(random(2, 2, 8, dtype=torch.float32), steps=20).wecs.isfinite().all()


def test_the_guard_that_raises():
    operator = wavezoo.create_operator(3, 2, courant_guard="raise", dt=0.1)
    x = random(2, 3, 6, 6, dtype=torch.float32)
    free = wavezoo.create_operator(3, 2, courant_guard="off")
    free.load_state_dict(operator.state_dict())
    assert torch.equal(operator(x), free(x))
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
    assert STABILITY_MARGIN < 1


def test_the_margin_is_the_least_over_all_steps():
    choices = {"potential": "cubic", "courant_guard": "off", "dt": 0.2, "damping": "none"}
    operator = wavezoo.create_operator(1, 1, **choices).double()
    # Of so many samples, some are highest in between.
    x = 0.7 * random(32, 1, 16)
    every, ends = (operator.simulate(x, steps=40, every=each).margin for each in (1, 40))
    assert torch.equal(every, ends)
    u = operator.simulate(x, steps=40).displacement
    assert (u[1:-1].abs().amax((0, 2, 3)) > u[[0, -1]].abs().amax((0, 2, 3))).any()
