"""An integrator of one's own: half a drift, a kick, half a drift."""

import math

from wavezoo.wave import Integrator, SpectralLaplacian, WaveOperator, WaveState


class DriftKickDrift(Integrator):
    order, damped_order, symplectic, reversible = 2, 2, True, True
    stability_limit, gamma_dt_limit, accelerations_to_start, accelerations_per_step = 2.0, math.inf, 0, 1

    def init(self, system, u, v):
        return WaveState(u, v)

    def step(self, system, state, dt):
        u = state.u + dt / 2 * state.v
        v = system.kick(state.v, system.pull(u), dt)
        return WaveState(u + dt / 2 * v, v)


operator = WaveOperator(8, SpectralLaplacian(8, 1), DriftKickDrift())
