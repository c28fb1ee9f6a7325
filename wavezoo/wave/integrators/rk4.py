"""The classical Runge-Kutta scheme."""

import torch
from torch import Tensor

from wavezoo.wave.integrators.base import Integrator
from wavezoo.wave.system import WaveState, WaveSystem


class RK4(Integrator):
    """The classical Runge-Kutta scheme: fourth order with damping too, but it loses energy of its own.

    Equation (Hairer, Nørsett and Wanner, Solving Ordinary Differential Equations I, table II.1.2), for
    ``(u, v)' = (v, c² L u - gamma v)``.

    Order: 4, whatever the damping, which enters by its plain rate. Stability limit: omega dt <= 2 sqrt(2) = 2.828,
    and near it gamma dt <= 2.2.
    Neither symplectic nor reversible. Four accelerations a step.
    """

    order = 4
    damped_order = 4
    symplectic = False
    reversible = False
    stability_limit = 8**0.5
    gamma_dt_limit = 2.2
    accelerations_to_start = 0
    accelerations_per_step = 4

    def init(self, system: WaveSystem, u: Tensor, v: Tensor) -> WaveState:
        return WaveState(u, v)

    def step(self, system: WaveSystem, state: WaveState, dt: float) -> WaveState:
        u, v, _ = state
        a1 = system.damped_acceleration(u, v)
        v2 = torch.add(v, a1, alpha=dt / 2)
        a2 = system.damped_acceleration(torch.add(u, v, alpha=dt / 2), v2)
        v3 = torch.add(v, a2, alpha=dt / 2)
        a3 = system.damped_acceleration(torch.add(u, v2, alpha=dt / 2), v3)
        v4 = torch.add(v, a3, alpha=dt)
        a4 = system.damped_acceleration(torch.add(u, v3, alpha=dt), v4)
        u = torch.add(u, v + 2 * (v2 + v3) + v4, alpha=dt / 6)
        return WaveState(u, torch.add(v, a1 + 2 * (a2 + a3) + a4, alpha=dt / 6))
