import torch

from tests.testing.broken import breaks
from wavezoo.wave.damping.base import closing, opening
from wavezoo.wave.integrators.velocity_verlet import VelocityVerlet
from wavezoo.wave.integrators.yoshida4 import Yoshida4
from wavezoo.wave.system import WaveState


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


@breaks("gradient_of_advance")
class ForgettingVerlet(VelocityVerlet):
    def advance(self, system, u, v, dt, steps, velocity=True):
        return super().advance(system, u, None if v is None else v.detach(), dt, steps, velocity)


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


@breaks("overdamped_waves_move_as_they_should", "obeys_damping_of_modes")
class RateVerlet(VelocityVerlet):
    """The rate of the damping where its kick is meant."""

    def step(self, system, state, dt):
        decay = torch.exp(-system.damping_rate * dt / 2)
        v = decay * state.v + dt / 2 * system.acceleration(state.u)
        u = state.u + dt * v
        return WaveState(u, decay * (v + dt / 2 * system.acceleration(u)))

    def stages(self, dt, steps, velocity=True):
        return None


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
