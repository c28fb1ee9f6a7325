"""The contract of Laplacians.

Shapes: B batch, C channels, ``*G`` grid, ``(N,)`` or ``(H, W)``; channels first. The grid spacing is one cell; times
are in whatever unit ``dt`` is in, speeds in cells per that unit, damping in its inverse.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable

from torch import Tensor, nn

from wavezoo.errors import WavezooError, require_whole
from wavezoo.wave.scheme import Grid, Scheme
from wavezoo.wave.spectral.modes import Modes


class Laplacian(Scheme, nn.Module, ABC):
    """A discrete Laplacian on a grid of unit spacing.

    Args:
        channels: number of channels C of the fields it acts on.
        ndim: number of grid axes, one of ``ndims``.

    Attributes:
        ndims: the numbers of grid axes it works on.
        boundary: ``"periodic"``, ``"reflecting"``, ``"zero"``, or ``"open"`` where there is no edge to speak of.
        causal: whether position i depends on positions up to i only.
        self_adjoint: whether it is symmetric and negative semi-definite.
        order: order of accuracy in the grid spacing; infinite for spectral accuracy, NaN for an operator that is not
            meant to approach ∇².
        diagonal: whether it offers `modes`.
        steppable: whether to apply it, time and again, is what waves do; not so where they leave the grid.
        fixed_grid: the only grid it works on; None for any.
        complex_free: whether neither `bind` nor `modes` uses complex numbers, on any grid.
    """

    ndims: tuple[int, ...]
    boundary: str
    causal: bool
    self_adjoint: bool
    order: float
    diagonal: bool = False
    steppable: bool = True
    fixed_grid: tuple[int, ...] | None = None
    complex_free: bool = False

    def __init__(self, channels: int, ndim: int) -> None:
        super().__init__()
        self.channels = require_whole("channels", channels)
        self.ndim = ndim

    @abstractmethod
    def bind(self, u: Tensor) -> Callable[[Tensor], Tensor]:
        """Return the map ``(B, C, *G) -> (B, C, *G)`` for fields with the grid, dtype and device of ``u``.

        Whatever depends on the grid alone is computed here, once for all steps of a forward pass.
        """

    @abstractmethod
    def spectral_radius(self, grid: Grid) -> float | Tensor:
        """Return an upper bound, as tight as can be, on the largest absolute eigenvalue on ``grid``, in 1 / cell².

        A number, or shape ``(C,)`` where it is learned channel by channel.
        """

    def modes(self, u: Tensor) -> Modes:
        """Return the eigenvectors for fields like ``u``, ``(B, C, *G)``; one that declares ``diagonal`` overrides this.

        Raises:
            WavezooError: if the Laplacian has none.
        """
        raise WavezooError(f"{type(self).__name__} is diagonal in no basis that it could offer.")

    def as_products(self) -> None:
        """Do without complex numbers from now on, on every grid; for programs that know none, such as ONNX.

        One that is not ``complex_free``, but can be, overrides this.

        Raises:
            WavezooError: if it cannot.
        """
        if not self.complex_free:
            raise WavezooError(
                f"{type(self).__name__} needs complex numbers, and cannot do by products of real matrices instead; "
                "take another Laplacian, or a program that knows Fourier transforms."
            )

    def degree(self) -> float | Tensor:
        """Return the d with which eigenvalues grow as ``h^-d`` when the same waves meet a finer grid of spacing h.

        2, as for ∇²; a number, or shape ``(C,)``, from a Laplacian that overrides this.
        """
        return 2.0

    def forward(self, u: Tensor) -> Tensor:
        """Apply the Laplacian to ``u`` of shape ``(B, C, *G)``."""
        return self.bind(u)(u)
