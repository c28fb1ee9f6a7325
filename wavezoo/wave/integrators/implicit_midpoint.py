"""The implicit midpoint rule."""

import math

import torch
from torch import Tensor

from wavezoo.errors import require_whole
from wavezoo.wave.integrators.base import Integrator
from wavezoo.wave.scheme import Requires
from wavezoo.wave.system import WaveState, WaveSystem

# Where the medium varies, c² is kept above this fraction of its greatest value: a hundred thousandth of the speed.
SLOWEST = 1e-10
# The iteration ends where what is left of the residual is at most this many rounding errors of what it began with.
ROUNDING_UNITS = 16


class ImplicitMidpoint(Integrator):
    """The velocity at the middle of the step, solved for: second order, and stable for every step.

    Equation (Hairer, Lubich and Wanner, Geometric Numerical Integration, I.1.7), with ``w = (v + v⁺) / 2``::

        [(1 + gamma dt/2) / c² - dt²/4 L] w = v / c² + dt/2 L u;  u⁺ = u + dt w;  v⁺ = 2 w - v

    (a quadratic potential of stiffness m adds ``dt²/4 m / c²`` on the left, ``-dt/2 m u / c²`` on the right). Where the
    medium is the same everywhere in space and the Laplacian has modes, the equation is solved mode by mode. Otherwise
    it is solved by ``iterations`` steps of conjugate gradients from zero, preconditioned by c²; the residual is then
    orthogonal to w, so that the energy is exactly kept (or lost to damping), and the step stable, even where they have
    not converged.

    Order: 2, damping included, which enters by its plain rate. No stability limit. Symplectic where solved to rounding,
    which takes more iterations the larger the Courant number. Needs a self-adjoint Laplacian.

    Args:
        iterations: conjugate-gradient steps, each of which evaluates the Laplacian once.

    Raises:
        WavezooError: if ``iterations`` is less than 1.
    """

    order = 2
    damped_order = 2
    symplectic = True
    reversible = False
    stability_limit = math.inf
    gamma_dt_limit = math.inf
    causal = False
    accelerations_to_start = 0
    accelerations_per_step = 9
    variants = ({"iterations": 12},)
    requires = Requires(self_adjoint=True, quadratic_potential=True)

    def __init__(self, *, iterations: int = 8) -> None:
        self.iterations = require_whole("iterations", iterations)
        self.accelerations_per_step = self.iterations + 1

    def init(self, system: WaveSystem, u: Tensor, v: Tensor) -> WaveState:
        return WaveState(u, v)

    def step(self, system: WaveSystem, state: WaveState, dt: float) -> WaveState:
        u, v, _ = state
        w = self._solved_mode_by_mode(system, u, v, dt) if system.uniform else self._solved(system, u, v, dt)
        return WaveState(torch.add(u, w, alpha=dt), 2 * w - v)

    def _solved_mode_by_mode(self, system: WaveSystem, u: Tensor, v: Tensor, dt: float) -> Tensor:
        modes = system.modes
        omega_squared = system.speed_squared * -modes.eigenvalues + system.stiffness(u)
        left = 1 + system.damping_rate * (dt / 2) + omega_squared * (dt**2 / 4)
        right = modes.transform(v) - omega_squared * modes.transform(u) * (dt / 2)
        return modes.inverse(right / left)

    def _solved(self, system: WaveSystem, u: Tensor, v: Tensor, dt: float) -> Tensor:
        # Everything here is multiplied by c², so that slow cells divide by little only in the weights of the sums.
        axes = tuple(range(2, u.ndim))
        fastest = system.speed_squared.amax(axes, keepdim=True)
        speed_squared = torch.maximum(system.speed_squared, SLOWEST * fastest)
        weight = (fastest / speed_squared.clamp(min=torch.finfo(u.dtype).tiny)).clamp(max=1 / SLOWEST)
        diagonal = 1 + system.damping_rate * (dt / 2) + system.stiffness(u) * (dt**2 / 4)

        def left(w: Tensor) -> Tensor:
            return torch.sub(diagonal * w, speed_squared * system.laplacian(w), alpha=dt**2 / 4)

        def product(a: Tensor, b: Tensor) -> Tensor:
            return (a * b * weight).sum(axes, keepdim=True)

        right = torch.add(v, system.acceleration(u), alpha=dt / 2)
        # The solution is proportional to the right-hand side; sums over one of unit size do not overflow.
        scale = right.detach().abs().amax(axes, keepdim=True).clamp(min=torch.finfo(u.dtype).tiny)
        residual = right / scale
        w = torch.zeros_like(u)
        preconditioned = residual / diagonal
        direction = preconditioned
        size = product(residual, preconditioned)
        rounding = (ROUNDING_UNITS * torch.finfo(u.dtype).eps) ** 2 * size.detach()
        for iteration in range(self.iterations):
            if iteration:
                preconditioned = residual / diagonal
                former, size = size, product(residual, preconditioned)
                direction = preconditioned + _ratio(size, former) * direction
            # A residual that is rounding alone points anywhere; every solution on the way is as stable.
            direction = torch.where(size > rounding, direction, 0.0)
            image = left(direction)
            length = _ratio(size, product(direction, image))
            w = w + length * direction
            residual = residual - length * image
        return w * scale


def _ratio(a: Tensor, b: Tensor) -> Tensor:
    """Return ``a / b``, and 0 where b is 0 because there is nothing left to solve."""
    return torch.where(b == 0, 0.0, a / torch.where(b == 0, 1.0, b))
