import wavezoo


class ImplicitDamping(wavezoo.Damping):
    """Damping by the rate at the end of the kick: ``v⁺ = (v + dt a) / (1 + gamma dt)``, of order 1."""

    order, gamma_dt_limit, stability_factor, reversible, uses_gamma = 1, float("inf"), 1.0, False, True

    def rate(self, gamma, eigenvalues):
        return gamma

    def opening(self, rate, dt):
        return wavezoo.Kick(1 / (1 + rate * dt), dt / (1 + rate * dt))

    def closing(self, rate, dt):
        return self.opening(rate, dt)


@wavezoo.hookimpl
def wavezoo_damping():
    return {"implicit": ImplicitDamping}
