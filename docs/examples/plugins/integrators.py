import wavezoo


class DriftKick(wavezoo.Integrator):
    """Drift, then kick: order 1, stable to omega dt = 2."""

    order, damped_order, symplectic, reversible = 1, 1, True, False
    stability_limit, gamma_dt_limit, accelerations_to_start, accelerations_per_step = 2.0, 4.0, 0, 1

    def init(self, system, u, v):
        return wavezoo.WaveState(u, v)

    def step(self, system, state, dt):
        u = state.u + dt * state.v
        return wavezoo.WaveState(u, system.kick(state.v, system.pull(u), dt))


@wavezoo.hookimpl
def wavezoo_integrators():
    return {"drift_kick": DriftKick}
