"""The medium of one forward pass, made of the fields that the input gives.

Shapes: B batch, C channels, ``*G`` grid, ``(N,)`` or ``(H, W)``; channels first.
"""

from collections.abc import Callable
from typing import NamedTuple

from torch import Tensor

from wavezoo.wave.damping.base import Damping
from wavezoo.wave.laplacians.base import Laplacian
from wavezoo.wave.potentials.base import Potential
from wavezoo.wave.stability import Guard
from wavezoo.wave.system import WaveSystem


class Refinement(NamedTuple):
    """How a grid differs from the one that the parameters were learned on.

    Attributes:
        spacing: distance of two cells, in units of that on the former grid.
        step: length of a time step, in units of that on the former grid.
    """

    spacing: float = 1.0
    step: float = 1.0


class WhenAsked:
    """A Laplacian that is bound when it is first applied; for one without parameters that are learned.

    Args:
        laplacian: the Laplacian.
        u: a field like those that it is to be applied to.
    """

    def __init__(self, laplacian: Laplacian, u: Tensor) -> None:
        self.laplacian = laplacian
        self.like = u
        self.bound: Callable[[Tensor], Tensor] | None = None

    def __call__(self, u: Tensor) -> Tensor:
        if self.bound is None:
            self.bound = self.laplacian.bind(self.like)
        return self.bound(u)


def medium(
    u: Tensor,
    speed: Tensor,
    gamma: Tensor | None,
    dt: Tensor,
    schemes: tuple[Laplacian, Damping, Potential | None],
    guard: Guard,
    refinement: Refinement,
) -> WaveSystem:
    """Return the medium for fields like ``u``, with time in steps.

    Args:
        u: displacement, ``(B, C, *G)``, in float32 or better.
        speed: c, broadcastable to ``u``, in cells / time on the former grid.
        gamma: γ, likewise, in 1 / time; None where the damping does not use it.
        dt: time step on the former grid, shape ``(1,)`` or ``(C,)``.
        schemes: Laplacian, damping and potential.
        guard: minds the stability of the step.
        refinement: how the grid differs from the former one.

    Raises:
        WavezooError: if the guard is one that raises, and a stability limit is exceeded.
    """
    laplacian, damping, potential = schemes
    given = (speed.to(u.dtype), None if gamma is None else gamma.to(u.dtype))
    square, gamma_dt, scale = guard.coefficients(u, *given, dt.view(1, -1, *[1] * (u.ndim - 2)), schemes)
    finer: Tensor | float = 1.0
    if refinement.spacing != 1:
        finer = (1 / refinement.spacing) ** _degree(laplacian, u)
        square, scale = square * finer * refinement.step**2, scale * refinement.step**2
        gamma_dt = gamma_dt * refinement.step
    learned = any(each.requires_grad for each in laplacian.parameters())
    # Where modes are all that is asked for, tables of the grid are not made for nothing.
    bound = laplacian.bind(u) if learned or not laplacian.diagonal else WhenAsked(laplacian, u)
    system = WaveSystem(
        bound,
        square,
        damping,
        gamma_dt,
        modes=(lambda: laplacian.modes(u)) if laplacian.diagonal else None,
        potential=potential,
        potential_scale=scale,
        damping_refinement=finer,
        transposed=bound if laplacian.self_adjoint and not learned else None,
    )
    guard.check(system, u, laplacian)
    return system


def _degree(laplacian: Laplacian, u: Tensor) -> Tensor | float:
    """Return the power of the spacing that divides the eigenvalues, a number or shape ``(C, 1, ...)``."""
    degree = laplacian.degree()
    return degree.to(u.dtype).view(-1, *[1] * (u.ndim - 2)) if isinstance(degree, Tensor) else degree
