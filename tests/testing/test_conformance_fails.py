"""Every check of every suite fails on some scheme that is broken on purpose."""

import math
import threading

import pytest
import torch
from torch import nn

from wavezoo.mixers.depthwise import DepthwiseMixer
from wavezoo.plugins.axes import AXES
from wavezoo.testing.conformance import checks, suite
from wavezoo.wave.damping.base import Kick, closing, opening
from wavezoo.wave.damping.exponential import ExponentialDamping
from wavezoo.wave.damping.linear import LinearDamping
from wavezoo.wave.drifts.uniform import UniformDrift
from wavezoo.wave.fields.depthwise import DepthwiseField
from wavezoo.wave.fields.pointwise import PointwiseField
from wavezoo.wave.integrators.base import Integrator
from wavezoo.wave.integrators.velocity_verlet import VelocityVerlet
from wavezoo.wave.integrators.yoshida4 import Yoshida4
from wavezoo.wave.laplacians.finite_difference import FiniteDifferenceLaplacian
from wavezoo.wave.potentials.klein_gordon import KleinGordonPotential
from wavezoo.wave.system import WaveState

BROKEN = []


def breaks(*names):
    def mark(scheme):
        scheme.variants = ()
        BROKEN.extend((scheme, name) for name in names)
        return scheme

    return mark


class Wrapped(FiniteDifferenceLaplacian):
    def change(self, u, result):
        return result

    def bind(self, u):
        apply = super().bind(u)
        return lambda u: self.change(u, apply(u))


@breaks("constants_map_to_zero", "spectral_radius_is_true_and_tight")
class ShiftedLaplacian(Wrapped):
    def change(self, u, result):
        return result - u


@breaks("self_adjoint_and_negative")
class OneSidedLaplacian(Wrapped):
    def change(self, u, result):
        return result + (u.roll(1, -1) - u)


@breaks("self_adjoint_and_negative")
class PositiveLaplacian(Wrapped):
    def change(self, u, result):
        return -result


@breaks("order")
class OverrankedLaplacian(Wrapped):
    def __init__(self, channels, ndim):
        super().__init__(channels, ndim)
        self.order = 4

    def bind(self, u):
        return FiniteDifferenceLaplacian(self.channels, self.ndim, order=2).bind(u)


@breaks("causal_where_declared")
class PeekingLaplacian(Wrapped):
    causal = True


@breaks("keeps_constants")
class LeakingLaplacian(Wrapped):
    def change(self, u, result):
        return result + 1e-6 * u


@breaks("stable_under_the_guard")
class FeedingLaplacian(Wrapped):
    """Not self-adjoint, which it hides."""

    def change(self, u, result):
        return result + 0.3 * (u.roll(1, -1) - u.roll(-1, -1))


@breaks("spectral_radius_is_true_and_tight")
class LooseRadiusLaplacian(Wrapped):
    def spectral_radius(self, grid):
        return 2 * super().spectral_radius(grid)


@breaks("modes_are_its_eigenvectors")
class ForeignModesLaplacian(Wrapped):
    def change(self, u, result):
        return 1.01 * result


@breaks("any_layout")
class InPlaceLaplacian(Wrapped):
    def change(self, u, result):
        u.mul_(2)
        return result


@breaks("gradcheck")
class DetachedLaplacian(Wrapped):
    def change(self, u, result):
        return result.detach() + 0 * u


@breaks("dtype_and_device")
class SinglePrecisionLaplacian(Wrapped):
    def change(self, u, result):
        return result.float()


@breaks("batch_independence")
class BatchMeanLaplacian(Wrapped):
    def change(self, u, result):
        return result - result.mean(0, keepdim=True)


@breaks("copies")
class LockedLaplacian(Wrapped):
    def __init__(self, channels, ndim):
        super().__init__(channels, ndim)
        self.noise = torch.rand(()).item()

    def __reduce__(self):
        return type(self), (self.channels, self.ndim)

    def change(self, u, result):
        return result + self.noise


@breaks("order_without_damping", "order_with_damping", "reversibility")
class LoppedVerlet(VelocityVerlet):
    """A closing kick a little too short."""

    def step(self, system, state, dt):
        u, v, pull = state
        v = system.kick(v, pull, dt / 2, opening)
        u = u + dt * v
        pull = system.pull(u)
        return WaveState(u, system.kick(v, pull, 0.45 * dt, closing), pull)


@breaks("energy_is_bounded")
class DriftingVerlet(VelocityVerlet):
    def step(self, system, state, dt):
        state = super().step(system, state, dt)
        return state._replace(v=1.0005 * state.v)


@breaks("stable_just_below_its_limit")
class BoastfulVerlet(VelocityVerlet):
    stability_limit = 2.2


@breaks("unstable_just_above_its_limit")
class TimidVerlet(VelocityVerlet):
    stability_limit = 1.5


@breaks("stable_with_damping_below_both_limits")
class CarelessYoshida(Yoshida4):
    gamma_dt_limit = 5.0


@breaks("advance_is_as_many_steps")
class HurriedVerlet(VelocityVerlet):
    def advance(self, system, u, v, dt, steps, velocity=True):
        return super().advance(system, u, v, dt, steps - 1, velocity)


@breaks("counts_its_accelerations")
class WastefulVerlet(VelocityVerlet):
    def step(self, system, state, dt):
        return super().step(system, state._replace(carried=system.pull(state.u)), dt)


@breaks("gradcheck")
class DetachedVerlet(VelocityVerlet):
    def step(self, system, state, dt):
        state = super().step(system, state, dt)
        return state._replace(v=state.v.detach() + 0 * state.u)


@breaks("dtype_and_device")
class DoublePrecisionVerlet(VelocityVerlet):
    def step(self, system, state, dt):
        state = super().step(system, state, dt)
        return state._replace(u=state.u.double())


@breaks("batch_independence")
class BatchMeanVerlet(VelocityVerlet):
    def step(self, system, state, dt):
        state = super().step(system, state, dt)
        return state._replace(u=state.u + 0.01 * state.u.mean(0, keepdim=True))


@breaks("copies")
class UnpicklableVerlet(VelocityVerlet):
    def __init__(self):
        self.noise = torch.rand(()).item()

    def __reduce__(self):
        return type(self), ()

    def step(self, system, state, dt):
        return super().step(system, state, dt * self.noise)


class WrappedField(PointwiseField):
    def change(self, x, value):
        return value

    def forward(self, x):
        return self.change(x, super().forward(x))


@breaks("positive", "starts_at_its_initial_value")
class NegativeField(WrappedField):
    def change(self, x, value):
        return -value


@breaks("broadcastable")
class WideField(WrappedField):
    def change(self, x, value):
        return torch.cat([value, value], 1)


@breaks("declares_its_dependence")
class PositionField(WrappedField):
    def change(self, x, value):
        return value + torch.arange(x.shape[-1], device=x.device, dtype=x.dtype)


@breaks("gradient_to_every_parameter", "full_initialisation")
class IdleField(WrappedField):
    def __init__(self, channels, ndim, *, initial):
        super().__init__(channels, ndim, initial=initial)
        self.idle = nn.Parameter(torch.zeros(()))


@breaks("causal_where_declared")
class PeekingField(WrappedField):
    def forward(self, x):
        return super().forward(x) + x.mean(-1, keepdim=True).square()


@breaks("gradcheck")
class DetachedField(WrappedField):
    def change(self, x, value):
        return value.detach() + 0 * value


@breaks("dtype_and_device")
class SinglePrecisionField(WrappedField):
    def change(self, x, value):
        return value.float()


@breaks("batch_independence")
class BatchNormField(WrappedField):
    def change(self, x, value):
        return value / value.amax()


@breaks("any_layout")
class StorageOrderField(WrappedField):
    def change(self, x, value):
        return value + x.as_strided((1,), (1,), 1).abs()


@breaks("grid_spacing_is_heard")
class DeafField(DepthwiseField):
    def set_grid_spacing(self, spacing):
        pass


@breaks("copies")
class RandomField(WrappedField):
    def change(self, x, value):
        return value + torch.rand(())


@breaks("overdamped_waves_move_as_they_should", "obeys_damping_of_modes")
class RateVerlet(VelocityVerlet):
    """The rate of the damping where its kick is meant."""

    def step(self, system, state, dt):
        decay = torch.exp(-system.damping_rate * dt / 2)
        v = decay * state.v + dt / 2 * system.acceleration(state.u)
        u = state.u + dt * v
        return WaveState(u, decay * (v + dt / 2 * system.acceleration(u)))

    def advance(self, system, u, v, dt, steps, velocity=True):
        return Integrator.advance(self, system, u, v, dt, steps, velocity)


@breaks("obeys_a_potential")
class ForgetfulVerlet(VelocityVerlet):
    """Hears of the Laplacian alone."""

    def step(self, system, state, dt):
        v = system.kick(state.v, system.laplacian(state.u), dt / 2, opening)
        u = state.u + dt * v
        return WaveState(u, system.kick(v, system.laplacian(u), dt / 2, closing))


@breaks("stable_in_media_that_alternate")
class BoldYoshida(Yoshida4):
    gamma_dt_limit = 5.0


@breaks("causal_where_declared")
class LeakingVerlet(VelocityVerlet):
    def advance(self, system, u, v, dt, steps, velocity=True):
        u, v = super().advance(system, u, v, dt, steps, velocity)
        return u + 0.01 * u.mean(-1, keepdim=True), v


class WrappedDamping(ExponentialDamping):
    def decay(self, gamma, dt):
        return torch.exp(-gamma * dt)

    def opening(self, gamma, dt):
        return Kick(self.decay(gamma, dt), dt)

    def closing(self, gamma, dt):
        return Kick(self.decay(gamma, dt), self.decay(gamma, dt) * dt)


@breaks("energy_never_grows", "stability_factor_is_honest")
class Antidamping(WrappedDamping):
    def decay(self, gamma, dt):
        return torch.exp(gamma * dt)


@breaks("stability_factor_is_honest")
class BoastfulLinear(LinearDamping):
    stability_factor = 1.0


@breaks("overdamped_waves_move_as_they_should")
class PushingDamping(WrappedDamping):
    """Decays exactly, but pushes as if it did not."""


@breaks("unstable_beyond_its_gamma_limit")
class TimidExponential(ExponentialDamping):
    gamma_dt_limit = 2.0


@breaks("zero_damping_is_none", "rate_is_proportional_to_gamma", "exact_where_declared", "order", "reversibility")
class AlwaysDamping(WrappedDamping):
    def decay(self, gamma, dt):
        return torch.exp(-gamma.sqrt() * abs(dt) - 0.01)


@breaks("gradcheck")
class DetachedDamping(WrappedDamping):
    def decay(self, gamma, dt):
        return super().decay(gamma, dt).detach() + 0 * gamma


@breaks("dtype_and_device")
class SinglePrecisionDamping(WrappedDamping):
    def rate(self, gamma, eigenvalues):
        return gamma.float()


@breaks("batch_independence")
class BatchMeanDamping(WrappedDamping):
    def decay(self, gamma, dt):
        return torch.exp(-gamma.mean(0, keepdim=True) * dt)


@breaks("copies")
class LockedDamping(ExponentialDamping):
    def __init__(self, channels, ndim):
        super().__init__(channels, ndim)
        self.lock = threading.Lock()


class WrappedPotential(KleinGordonPotential):
    def change(self, u, force):
        return force

    def force(self, u):
        return self.change(u, super().force(u))


@breaks("force_is_minus_the_gradient_of_the_potential", "energy_is_conserved")
class PushingPotential(WrappedPotential):
    def change(self, u, force):
        return 1.5 * force


@breaks("exerts_a_force")
class IdlePotential(WrappedPotential):
    def change(self, u, force):
        return 0 * force


@breaks("quadratic_where_declared")
class BentPotential(WrappedPotential):
    def change(self, u, force):
        return force + 0.1 * u**2


@breaks("stiffness_is_true_and_tight")
class TimidPotential(WrappedPotential):
    def stiffness(self, u):
        return 2 * super().stiffness(u)

    def force(self, u):
        return -super().stiffness(u) * u


@breaks("bounded_where_declared")
class BoundlessPotential(WrappedPotential):
    bounded_stiffness = False


@breaks("gradient_to_every_parameter", "full_initialisation")
class IdleParameterPotential(WrappedPotential):
    def __init__(self, channels, ndim):
        super().__init__(channels, ndim)
        self.idle = nn.Parameter(torch.zeros(()))


@breaks("gradcheck")
class DetachedPotential(WrappedPotential):
    def change(self, u, force):
        return force.detach() + 0 * u


@breaks("dtype_and_device")
class SinglePrecisionPotential(WrappedPotential):
    def stiffness(self, u):
        return super().stiffness(u).float()

    def force(self, u):
        return super().force(u).float()

    def energy(self, u):
        return super().energy(u).float()


@breaks("causal_where_declared")
class PeekingPotential(WrappedPotential):
    causal = True

    def change(self, u, force):
        return force - u.mean(-1, keepdim=True)


@breaks("batch_independence")
class BatchMeanPotential(WrappedPotential):
    def change(self, u, force):
        return force - u.mean(0, keepdim=True)


@breaks("copies")
class RandomPotential(WrappedPotential):
    def change(self, u, force):
        return force + torch.rand(())


class WrappedDrift(UniformDrift):
    def change(self, u, carried, time):
        return carried

    def carry(self, u, time):
        return self.change(u, super().carry(u, time), time)


@breaks("moves_with_time")
class StillDrift(WrappedDrift):
    def carry(self, u, time):
        return u


@breaks("times_add_up", "norm_is_kept")
class FadingDrift(WrappedDrift):
    def change(self, u, carried, time):
        return carried * (1 - 0.1 * time.view(-1, *[1] * (u.ndim - 2)).square())


@breaks("smooth_waves_move_exactly")
class PatchyDrift(WrappedDrift):
    def change(self, u, carried, time):
        return carried * torch.arange(u.shape[-1], dtype=u.dtype, device=u.device)


@breaks("time_by_channel")
class CommonTimeDrift(WrappedDrift):
    def carry(self, u, time):
        return super().carry(u, time.mean().view(1))


@breaks("gradient_to_every_parameter", "full_initialisation")
class IdleParameterDrift(WrappedDrift):
    def __init__(self, channels, ndim):
        super().__init__(channels, ndim)
        self.idle = nn.Parameter(torch.zeros(()))


@breaks("gradcheck")
class DetachedDrift(WrappedDrift):
    def change(self, u, carried, time):
        return carried.detach() + 0 * u


@breaks("dtype_and_device")
class SinglePrecisionDrift(WrappedDrift):
    def change(self, u, carried, time):
        return carried.float()


@breaks("causal_where_declared")
class PeekingDrift(WrappedDrift):
    causal = True

    def change(self, u, carried, time):
        return carried - u.mean(-1, keepdim=True)


@breaks("batch_independence")
class BatchMeanDrift(WrappedDrift):
    def change(self, u, carried, time):
        return carried - u.mean(0, keepdim=True)


@breaks("copies")
class RandomDrift(WrappedDrift):
    def change(self, u, carried, time):
        return carried + torch.rand(())


@breaks("full_initialisation")
class IdleParameterLaplacian(Wrapped):
    def __init__(self, channels, ndim):
        super().__init__(channels, ndim)
        self.idle = nn.Parameter(torch.zeros(()))


@breaks("complex_free_where_declared")
class ComplexLaplacian(Wrapped):
    complex_free = True

    def change(self, u, result):
        return result.to(torch.complex128).real


@breaks("degree_is_true")
class ScaledLaplacian(Wrapped):
    def degree(self):
        return 1.0


class WrappedMixer(DepthwiseMixer):
    def change(self, x, mixed):
        return mixed

    def forward(self, x):
        return self.change(x, super().forward(x))


@breaks("keeps_the_shape")
class ShrinkingMixer(WrappedMixer):
    def change(self, x, mixed):
        return mixed[..., 1:]


@breaks("causal_where_declared")
class PeekingMixer(WrappedMixer):
    def change(self, x, mixed):
        return mixed + x.mean(-1, keepdim=True)


@breaks("order_is_for_sequences")
class BoldMixer(WrappedMixer):
    def __init__(self, channels, ndim, *, causal=False):
        super().__init__(channels, ndim, causal=causal and ndim == 1)


@breaks("gradient_to_every_parameter", "full_initialisation")
class IdleParameterMixer(WrappedMixer):
    def __init__(self, channels, ndim, *, causal=False):
        super().__init__(channels, ndim, causal=causal)
        self.idle = nn.Parameter(torch.zeros(()))


@breaks("gradcheck")
class DetachedMixer(WrappedMixer):
    def change(self, x, mixed):
        return mixed.detach() + 0 * x


@breaks("dtype_and_device")
class SinglePrecisionMixer(WrappedMixer):
    def change(self, x, mixed):
        return mixed.float()


@breaks("batch_independence")
class BatchMeanMixer(WrappedMixer):
    def change(self, x, mixed):
        return mixed - x.mean(0, keepdim=True)


@breaks("any_layout")
class MemoryOrderMixer(WrappedMixer):
    def change(self, x, mixed):
        return mixed if x.is_contiguous() else 2 * mixed


@breaks("copies")
class RandomMixer(WrappedMixer):
    def change(self, x, mixed):
        return mixed + torch.rand(())


@pytest.mark.parametrize(("scheme", "name"), BROKEN, ids=lambda value: getattr(value, "__name__", value))
def test_a_broken_scheme_fails(scheme, name):
    check = next(each for each in checks(scheme) if each.__name__.endswith(f".{name}"))
    with pytest.raises((AssertionError, TypeError, RuntimeError)):
        check()


@pytest.mark.parametrize("axis", AXES)
def test_every_check_has_a_scheme_that_fails_it(axis):
    contract_of = {
        "laplacians": "Laplacian",
        "integrators": "Integrator",
        "fields": "ParameterField",
        "damping": "Damping",
        "potentials": "Potential",
        "drifts": "Drift",
        "mixers": "Mixer",
    }
    failed = {name for scheme, name in BROKEN if contract_of[axis] in {base.__name__ for base in scheme.__mro__}}
    assert failed == {check.__name__ for check in suite(AXES[axis])}


def test_an_exact_integrator_would_have_no_order_to_fit():
    from wavezoo.testing.assertions import observed_order

    assert math.isclose(observed_order([0.1, 0.2, 0.4], [0.01, 0.04, 0.16]), 2)
