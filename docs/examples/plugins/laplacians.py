import wavezoo


class RingLaplacian(wavezoo.Laplacian):
    """The three-point stencil on a ring: ``u[i-1] - 2 u[i] + u[i+1]``, of order 2."""

    ndims, boundary, causal, self_adjoint, order = (1,), "periodic", False, True, 2
    complex_free = True

    def bind(self, u):
        return lambda u: (u.roll(1, -1) - u) + (u.roll(-1, -1) - u)

    def spectral_radius(self, grid):
        return 4.0


@wavezoo.hookimpl
def wavezoo_laplacians():
    return {"ring": RingLaplacian}
