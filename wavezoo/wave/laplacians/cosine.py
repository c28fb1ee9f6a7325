"""The Laplacian between reflecting walls."""

from wavezoo.wave.laplacians.spectral import SpectralLaplacian


class CosineLaplacian(SpectralLaplacian):
    """Multiplication by ``-|k|²`` in cosine space: waves bounce off the edges instead of coming in on the other side.

    Equation: ``L u = C⁻¹ (-|k|² C u)`` with the discrete cosine transform C of type II, ``k = pi m / N`` in 1 / cell.
    Boundary: reflecting, with the wall half a cell beyond the last cell (Neumann). Order: spectral. Spectral radius:
    ``(pi (N - 1) / N)²`` per axis.

    Args:
        method: as for ``spectral``: ``"fft"``, ``"matmul"`` or ``"auto"``.
        product: as for ``spectral``: ``"full"`` or ``"bfloat16"``.

    Raises:
        WavezooError: if ``method`` or ``product`` is none of these, or if they do not go together.
    """

    boundary = "reflecting"
