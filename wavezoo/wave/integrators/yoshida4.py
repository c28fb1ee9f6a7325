"""Yoshida's fourth-order triple jump."""

import torch
from torch import Tensor

from wavezoo.wave.integrators.base import Integrator
from wavezoo.wave.system import WaveState, WaveSystem

OUTER = 1 / (2 - 2 ** (1 / 3))
INNER = 1 - 2 * OUTER


class Yoshida4(Integrator):
    """Three velocity Verlet steps, the middle one backwards, whose errors cancel: fourth order.

    Equation (Yoshida 1990, Physics Letters A 150, 262): steps of ``w dt``, ``(1 - 2 w) dt`` and ``w dt`` with
    ``w = 1 / (2 - 2^(1/3))``.

    Order: 4, also with damping that is itself time-symmetric, such as exponential. Stability limit: omega dt <= 1.573,
    and near it gamma dt <= 0.6, since the step backwards amplifies what damping took. Symplectic, reversible. Three
    accelerations a step.
    """

    order = 4
    damped_order = 4
    symplectic = True
    reversible = True
    stability_limit = 1.573
    gamma_dt_limit = 0.6
    accelerations_to_start = 1
    accelerations_per_step = 3

    def init(self, system: WaveSystem, u: Tensor, v: Tensor) -> WaveState:
        return WaveState(u, v, system.pull(u))

    def step(self, system: WaveSystem, state: WaveState, dt: float) -> WaveState:
        u, v, carried = state
        pull = system.pull(u) if carried is None else carried
        for fraction in (OUTER, INNER, OUTER):
            v = system.kick(v, pull, fraction * dt / 2)
            u = torch.add(u, v, alpha=fraction * dt)
            pull = system.pull(u)
            v = system.kick(v, pull, fraction * dt / 2)
        return WaveState(u, v, pull)
