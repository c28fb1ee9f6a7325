"""Wave problems with known solutions, in float64."""

import math
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from wavezoo.wave.analysis import dense_matrix
from wavezoo.wave.damping.base import Damping
from wavezoo.wave.damping.none import NoDamping
from wavezoo.wave.integrators.base import Integrator
from wavezoo.wave.laplacians.base import Laplacian
from wavezoo.wave.laplacians.spectral import SpectralLaplacian
from wavezoo.wave.system import WaveSystem


class Problem(NamedTuple):
    """A wave problem on a line: medium, initial state, and its exact solution.

    Attributes:
        system: the medium.
        u: initial displacement, ``(1, 1, N)``.
        v: initial velocity, likewise.
        omega_max: the largest angular frequency without damping, in 1 / time.
        solution: displacement and velocity at a time.
    """

    system: WaveSystem
    u: Tensor
    v: Tensor
    omega_max: float
    solution: Callable[[float], tuple[Tensor, Tensor]]


def varying_medium(damping: Damping, integrator: Integrator | None = None, size: int = 24) -> Problem:
    """Smooth waves in a medium whose speed and damping vary in space, solved by a dense matrix exponential.

    Where ``damping`` or ``integrator`` requires a speed or a damping that is the same everywhere, it is that.

    Args:
        damping: the damping scheme under test.
        integrator: the integrator under test.
        size: number of cells N.
    """
    x = _positions(size)
    requirements = [damping.requires] if integrator is None else [damping.requires, integrator.requires]
    c = 0.6 + 0.3 * torch.sin(x) + 0.05 * torch.cos(3 * x)
    if any(each.uniform_speed for each in requirements):
        c = torch.full((1,), 0.6, dtype=x.dtype)
    gamma = 0.5 + 0.3 * torch.cos(x)
    if any(each.uniform_damping for each in requirements):
        gamma = torch.full((1,), 0.5, dtype=x.dtype)
    if not damping.uses_gamma:
        gamma = torch.zeros(1, dtype=x.dtype)
    u = torch.exp(torch.sin(x)) - 1
    v = 0.3 * torch.cos(2 * x)
    return _problem(SpectralLaplacian(1, 1), damping, c, gamma, u, v)


def rough_start(size: int = 24, seed: int = 0) -> Problem:
    """Every mode of an undamped medium of unit speed, excited at random."""
    generator = torch.Generator().manual_seed(seed)
    u, v = torch.randn(2, size, generator=generator, dtype=torch.float64)
    one, zero = torch.ones(1, dtype=torch.float64), torch.zeros(1, dtype=torch.float64)
    # Without the mean, which an undamped medium lets drift away for ever.
    return _problem(SpectralLaplacian(1, 1), NoDamping(1, 1), one, zero, u - u.mean(), v - v.mean())


def eigenfunction(boundary: str, size: int, mode: int) -> tuple[Tensor, float]:
    """Return a wave ``(N,)`` that fits the boundary, and its exact eigenvalue under the second derivative.

    Raises:
        KeyError: if ``boundary`` is none of ``"periodic"``, ``"reflecting"`` (a wall half a cell beyond the last point)
            and ``"zero"`` (zero one cell beyond it).
    """
    i = torch.arange(size, dtype=torch.float64)
    k = {"periodic": 2 * math.pi / size, "reflecting": math.pi / size, "zero": math.pi / (size + 1)}[boundary] * mode
    wave = {
        "periodic": lambda: torch.sin(k * i + 0.3),
        "reflecting": lambda: torch.cos(k * (i + 0.5)),
        "zero": lambda: torch.sin(k * (i + 1)),
    }[boundary]()
    return wave, -(k**2)


def _positions(size: int) -> Tensor:
    return torch.arange(size, dtype=torch.float64) * (2 * math.pi / size)


@torch.no_grad()
def _friction(damping: Damping, gamma: Tensor, curvature: Tensor) -> Tensor:
    """Return the matrix that takes velocity to its rate of loss, negated, ``(N, N)``."""
    if not damping.in_modes:
        return -torch.diag(damping.rate(gamma.view(1, 1, -1), None).flatten().expand(len(curvature)))
    eigenvalues, vectors = torch.linalg.eigh((curvature + curvature.T) / 2)
    rate = damping.rate(gamma.view(1, 1, -1), eigenvalues.view(1, 1, -1)).flatten()
    return -(vectors * rate) @ vectors.T


def _problem(laplacian: Laplacian, damping: Damping, c: Tensor, gamma: Tensor, u: Tensor, v: Tensor) -> Problem:
    size = len(u)
    u3, v3 = u.view(1, 1, -1), v.view(1, 1, -1)
    speed_squared, gamma3 = c.square().view(1, 1, -1), gamma.view(1, 1, -1)
    bound = laplacian.bind(u3)
    system = WaveSystem(bound, speed_squared, damping, gamma3, modes=lambda: laplacian.modes(u3), transposed=bound)
    curvature = dense_matrix(laplacian, (size,))
    stiffness = c.square()[:, None] * curvature
    friction = _friction(damping, gamma, curvature)
    omega_max = math.sqrt(-torch.linalg.eigvals(stiffness).real.min().item())
    identity = torch.eye(size, dtype=torch.float64)
    generator = torch.cat([torch.cat([torch.zeros_like(identity), identity], 1), torch.cat([stiffness, friction], 1)])

    def solution(time: float) -> tuple[Tensor, Tensor]:
        state = torch.linalg.matrix_exp(generator * time) @ torch.cat([u, v])
        return state[:size].view(1, 1, -1), state[size:].view(1, 1, -1)

    return Problem(system, u3, v3, omega_max, solution)
