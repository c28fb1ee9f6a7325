"""The Laplacian with the field held at zero beyond the edges."""

from wavezoo.wave.laplacians.spectral import SpectralLaplacian


class SineLaplacian(SpectralLaplacian):
    """Multiplication by ``-|k|²`` in sine space: waves bounce off edges that hold them at zero, and change their sign.

    Equation: ``L u = S⁻¹ (-|k|² S u)`` with the discrete sine transform S of type I, ``k = pi m / (N + 1)``.
    Boundary: zero, one cell beyond the last cell (Dirichlet). Order: spectral. Spectral radius:
    ``(pi N / (N + 1))²`` per axis.

    Args:
        method: as for ``spectral``: ``"fft"``, ``"matmul"`` or ``"auto"``.
        product: as for ``spectral``: ``"full"`` or ``"bfloat16"``.

    Raises:
        WavezooError: if ``method`` or ``product`` is none of these, or if they do not go together.
    """

    boundary = "zero"
