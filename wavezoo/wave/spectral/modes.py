"""The eigenvectors of a Laplacian.

Shapes: B batch, C channels, ``*G`` grid, ``*K`` modes; channels first.
"""

from collections.abc import Callable
from typing import NamedTuple

from torch import Tensor

from wavezoo.wave.spectral.gradient import Gradient


class Modes(NamedTuple):
    """The eigenvectors of a self-adjoint Laplacian, as a pair of transforms.

    Attributes:
        transform: from the grid ``(B, C, *G)`` to modes ``(B, C, *K)``, real or complex.
        inverse: back, for modes of a real field.
        eigenvalues: real and not positive, broadcastable to ``(B, C, *K)``, in 1 / cell².
        gradient: returns the derivatives of a field along each axis; None where its basis has none.
    """

    transform: Callable[[Tensor], Tensor]
    inverse: Callable[[Tensor], Tensor]
    eigenvalues: Tensor
    gradient: Callable[[], Gradient] | None = None
