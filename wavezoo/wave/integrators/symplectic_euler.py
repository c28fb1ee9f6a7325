"""Symplectic Euler."""

import math

import torch
from torch import Tensor

from wavezoo.wave.integrators.base import Integrator
from wavezoo.wave.system import WaveState, WaveSystem


class SymplecticEuler(Integrator):
    """Kick, then drift with the new velocity: the cheapest scheme whose energy does not drift.

    Equation (Hairer, Lubich and Wanner, Geometric Numerical Integration, I.1.9)::

        v⁺ = v + dt a(u);  u⁺ = u + dt v⁺

    Order: 1. Stability limit: omega dt <= 2, no limit on gamma dt. Symplectic, not reversible.
    """

    order = 1
    damped_order = 1
    symplectic = True
    reversible = False
    stability_limit = 2.0
    gamma_dt_limit = math.inf
    accelerations_to_start = 0
    accelerations_per_step = 1

    def init(self, system: WaveSystem, u: Tensor, v: Tensor) -> WaveState:
        return WaveState(u, v)

    def step(self, system: WaveSystem, state: WaveState, dt: float) -> WaveState:
        v = system.kick(state.v, system.pull(state.u), dt)
        return WaveState(torch.add(state.u, v, alpha=dt), v)
