import wavezoo


class SpringPotential(wavezoo.Potential):
    """A spring at every cell: ``force(u) = -k u`` with a given k, in 1 / time²."""

    quadratic, bounded_stiffness = True, True

    def __init__(self, channels, ndim, *, k=0.1):
        super().__init__(channels, ndim)
        self.k = k

    def force(self, u):
        return -self.k * u

    def energy(self, u):
        return self.k * u.square() / 2

    def stiffness(self, u):
        return u.new_full((), self.k)


@wavezoo.hookimpl
def wavezoo_potentials():
    return {"spring": SpringPotential}
