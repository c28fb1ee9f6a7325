"""What a wave operator's numerics do to waves: dispersion, and drift of the energy.

Shapes: B batch, C channels, ``*G`` grid, M modes, T recorded times.
"""

import math
from typing import NamedTuple

import torch
from torch import Tensor

from wavezoo.errors import WavezooError, require_positive
from wavezoo.wave.damping.base import Damping
from wavezoo.wave.damping.none import NoDamping
from wavezoo.wave.integrators.base import Integrator
from wavezoo.wave.laplacians.base import Laplacian
from wavezoo.wave.operator import WaveOperator
from wavezoo.wave.scheme import Grid
from wavezoo.wave.spectral.basis import BASES
from wavezoo.wave.spectral.modes import Modes
from wavezoo.wave.system import WaveSystem

LARGEST_DENSE_GRID = 4096


class Dispersion(NamedTuple):
    """How fast a scheme lets each wave oscillate, sorted by exact frequency.

    Attributes:
        exact: frequency of each mode, in radians per step, ``(M,)``: that of the wave equation with ∇² for a Laplacian
            of finite order, that of the Laplacian itself for the others.
        numerical: frequency of the same mode under Laplacian and integrator, ``(M,)``.
        amplification: factor by which one step multiplies it, ``(M,)``; 1 for a scheme that neither adds nor takes.
    """

    exact: Tensor
    numerical: Tensor
    amplification: Tensor

    @property
    def error(self) -> Tensor:
        """The relative error of the frequency, ``(M,)``; zero where nothing oscillates."""
        return torch.where(self.exact == 0, 0.0, self.numerical / self.exact.clamp(min=1e-300) - 1)


class EnergyDrift(NamedTuple):
    """What happens to the energy of an undamped or damped run.

    Attributes:
        times: ``(T,)``, in steps.
        relative: ``E(t) / E(0) - 1``, ``(T, B)``.
        slope: its mean change per step, by least squares, ``(B,)``.
        swing: the largest ``|E(t) / E(0) - 1|``, ``(B,)``.
    """

    times: Tensor
    relative: Tensor
    slope: Tensor
    swing: Tensor


@torch.no_grad()
def dispersion(operator: WaveOperator, grid: Grid, courant: float | None = None) -> Dispersion:
    """Compare numerical with exact frequencies, in an undamped uniform medium, for the modes of the first channel.

    Args:
        operator: gives Laplacian, integrator and potential.
        grid: the grid.
        courant: Courant number ``c dt`` in cells per step; by default that of a fresh speed field and the learned dt,
            where the guard, if it limits, has not yet acted.

    Raises:
        WavezooError: if ``courant`` is not positive, if the potential is not quadratic, or if the Laplacian has no
            modes and the grid has too many points for a dense matrix.
    """
    if courant is None:
        courant = operator.speed.initial * operator.dt.double().mean().item()
    require_positive("courant", courant)
    if operator.potential is not None and not operator.potential.quadratic:
        raise WavezooError(
            f"{type(operator.potential).__name__} is not quadratic, so waves have no frequency of their own."
        )
    eigenvalues, squared_wave_numbers = _spectrum(operator.laplacian, grid)
    stiffness = torch.zeros((), dtype=torch.float64)
    if operator.potential is not None:
        like = torch.zeros(1, operator.channels, *grid, dtype=torch.float64)
        dt = operator.dt.double().mean()
        stiffness = operator.potential.stiffness(like).flatten()[0] * dt**2
    exact = (courant**2 * squared_wave_numbers + stiffness).sqrt()
    order = exact.argsort()
    omega_squared = (courant**2 * -eigenvalues[order] + stiffness).clamp(min=0)
    steps = step_matrices(operator.integrator, NoDamping(1, 1), omega_squared, torch.zeros_like(omega_squared))
    values = torch.linalg.eigvals(steps)
    # The two eigenvalues are a conjugate pair while the mode oscillates.
    return Dispersion(exact[order], values.angle().abs().amax(1), values.abs().amax(1))


def energy_drift(operator: WaveOperator, x: Tensor, steps: int = 1000, every: int = 10) -> EnergyDrift:
    """Run ``operator`` from ``x``, ``(B, C, *G)``, and follow its energy.

    Args:
        operator: the operator; build it with ``damping="none"`` to see what the numerics alone do.
        x: input.
        steps: number of steps.
        every: distance of the records, in steps.

    Raises:
        WavezooError: if ``x`` does not fit, or if ``steps`` or ``every`` is less than 1.
    """
    run = operator.simulate(x, steps, every)
    relative = run.energy / run.energy[0] - 1
    centred = run.times.to(relative.dtype) - run.times.to(relative.dtype).mean()
    slope = (centred[:, None] * relative).sum(0) / centred.square().sum().clamp(min=1e-30)
    return EnergyDrift(run.times, relative, slope, relative.abs().amax(0))


def _spectrum(laplacian: Laplacian, grid: Grid) -> tuple[Tensor, Tensor]:
    """Return eigenvalues of the first channel and the squares of the wave numbers that they stand for, ``(M,)``."""
    u = torch.zeros(1, laplacian.channels, *grid, dtype=torch.float64)
    if not laplacian.diagonal:
        matrix = dense_matrix(laplacian, grid)
        eigenvalues = torch.linalg.eigvalsh((matrix + matrix.T) / 2)
        return eigenvalues.clamp(max=0), -eigenvalues.clamp(max=0)
    eigenvalues = laplacian.modes(u).eigenvalues
    eigenvalues = eigenvalues[0] if eigenvalues.ndim > len(grid) else eigenvalues
    if not math.isfinite(laplacian.order):
        return eigenvalues.flatten(), -eigenvalues.clamp(max=0).flatten()
    method = "matmul" if eigenvalues.shape[-1] == grid[-1] else "fft"
    squared = BASES[laplacian.boundary].squared_wave_numbers(u, method)
    return eigenvalues.flatten(), squared.flatten()


def dense_matrix(laplacian: Laplacian, grid: Grid) -> Tensor:
    """Return the matrix of the first channel's Laplacian on ``grid``, in float64, ``(P, P)`` for P grid points.

    Raises:
        WavezooError: if the grid has too many points.
    """
    points = math.prod(grid)
    if points > LARGEST_DENSE_GRID:
        raise WavezooError(
            f"{points} points are too many for a dense matrix of {type(laplacian).__name__}; "
            f"give a grid of at most {LARGEST_DENSE_GRID} points."
        )
    basis = torch.eye(points, dtype=torch.float64).view(points, 1, *grid).expand(-1, laplacian.channels, *grid)
    return laplacian(basis)[:, 0].reshape(points, points).T


def step_matrices(integrator: Integrator, damping: Damping, omega_squared: Tensor, gamma: Tensor) -> Tensor:
    """Return what one step of unit length does to ``(u, v)`` of oscillators, shape ``(M, 2, 2)``.

    Args:
        integrator: the integrator.
        damping: the damping.
        omega_squared: squares of their frequencies, ``(M,)``.
        gamma: their damping, ``(M,)``.
    """
    omega_squared, gamma = omega_squared.view(-1, 1, 1), gamma.view(-1, 1, 1)
    one, zero = torch.ones_like(omega_squared), torch.zeros_like(omega_squared)
    modes = Modes(lambda u: u, lambda u: u, -torch.ones((), dtype=omega_squared.dtype))
    system = WaveSystem(lambda u: -u, omega_squared, damping, gamma, modes=lambda: modes)
    ends = [integrator.step(system, integrator.init(system, u, v), 1.0) for u, v in ((one, zero), (zero, one))]
    return torch.cat([torch.cat([end.u, end.v], 1) for end in ends], 2)
