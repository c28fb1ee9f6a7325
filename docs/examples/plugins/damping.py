import wavezoo


class HalfDamping(wavezoo.Damping):
    """Explicit damping at half the rate that the field gives: ``v⁺ = v + dt (a - gamma v / 2)``, of order 1."""

    order, gamma_dt_limit, stability_factor, reversible, uses_gamma = 1, 8.0, 0.9, False, True

    def rate(self, gamma, eigenvalues):
        return gamma / 2

    def opening(self, rate, dt):
        return wavezoo.Kick(1 - rate * dt, dt)

    closing = opening


@wavezoo.hookimpl
def wavezoo_damping():
    return {"half": HalfDamping}
