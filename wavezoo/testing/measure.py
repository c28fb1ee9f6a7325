"""What a scheme's numbers are, for those who are to declare them."""

import itertools
import math
from typing import Any

import torch

from wavezoo.errors import WavezooError
from wavezoo.testing.runs import convergence, largest_amplification
from wavezoo.wave.analysis import dense_matrix
from wavezoo.wave.damping.base import Damping
from wavezoo.wave.damping.exponential import ExponentialDamping
from wavezoo.wave.damping.none import NoDamping
from wavezoo.wave.integrators.base import Integrator
from wavezoo.wave.integrators.velocity_verlet import VelocityVerlet
from wavezoo.wave.laplacians.base import Laplacian
from wavezoo.wave.scheme import Scheme

# Up to here a limit is looked for; beyond, a scheme counts as having none.
LARGEST_LIMIT = 20.0
# A step that amplifies by less is stable: eigenvalues that meet are known to the root of a rounding error only.
ROUNDING = 1e-6


def measure(scheme: type[Scheme], **options: Any) -> dict[str, float]:
    """Return what an author of a scheme has to declare, as numbers.

    For an integrator ``order``, ``damped_order``, ``stability_limit`` and ``gamma_dt_limit``; for a damping ``order``
    and ``gamma_dt_limit``, both with velocity Verlet; for a Laplacian ``spectral_radius``, ``largest_eigenvalue`` and
    ``asymmetry``, the largest difference of its matrix from its transpose, on a grid of 16 cells along each axis.
    Limits are the first place where a step amplifies, on a scale of 2,000 values up to 20; infinite where none does.

    Args:
        scheme: an integrator, a damping or a Laplacian.
        **options: options to build it with.

    Raises:
        WavezooError: if ``scheme`` is none of these.
    """
    if issubclass(scheme, Integrator):
        return _integrator(scheme(**options))
    if issubclass(scheme, Damping):
        return _damping(scheme(1, 1, **options))
    if issubclass(scheme, Laplacian):
        return _laplacian(scheme(1, scheme.ndims[0], **options).double())
    raise WavezooError(f"{scheme.__name__} has no numbers to declare; give an integrator, a damping or a Laplacian.")


def _integrator(integrator: Integrator) -> dict[str, float]:
    damping = ExponentialDamping(1, 1)
    zero = torch.zeros(1, dtype=torch.float64)
    limit = _first_unstable(lambda omega_dt: largest_amplification(integrator, NoDamping(1, 1), omega_dt, zero))
    below = torch.linspace(0.01, 0.95 * min(limit, LARGEST_LIMIT), 60, dtype=torch.float64)
    return {
        "order": convergence(integrator, NoDamping(1, 1)),
        "damped_order": convergence(integrator, damping),
        "stability_limit": limit,
        "gamma_dt_limit": _first_unstable(lambda gamma_dt: largest_amplification(integrator, damping, below, gamma_dt))
        if limit
        else 0.0,
    }


def _damping(damping: Damping) -> dict[str, float]:
    integrator = VelocityVerlet()
    omega_dt = torch.linspace(0.01, 0.1, 10, dtype=torch.float64)
    return {
        "order": convergence(integrator, damping),
        "gamma_dt_limit": _first_unstable(
            lambda gamma_dt: largest_amplification(integrator, damping, omega_dt, gamma_dt)
        ),
    }


@torch.no_grad()
def _laplacian(laplacian: Laplacian) -> dict[str, float]:
    matrix = dense_matrix(laplacian, laplacian.fixed_grid or (16,) * laplacian.ndim)
    eigenvalues = torch.linalg.eigvals(matrix)
    return {
        "spectral_radius": eigenvalues.abs().max().item(),
        "largest_eigenvalue": eigenvalues.real.max().item(),
        "asymmetry": (matrix - matrix.T).abs().max().item(),
    }


def _first_unstable(amplification: Any) -> float:
    """Return the last number before the first at which a step amplifies."""
    values = torch.linspace(0, LARGEST_LIMIT, 2001, dtype=torch.float64)
    for before, value in itertools.pairwise(values):
        if amplification(value.view(1)) > 1 + ROUNDING:
            return _refined(amplification, before.item(), value.item())
    return math.inf


def _refined(amplification: Any, stable: float, unstable: float) -> float:
    for _ in range(20):
        middle = (stable + unstable) / 2
        grows = amplification(torch.tensor([middle], dtype=torch.float64)) > 1 + ROUNDING
        stable, unstable = (stable, middle) if grows else (middle, unstable)
    return stable
