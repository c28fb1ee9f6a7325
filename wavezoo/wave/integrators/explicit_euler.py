"""Explicit Euler."""

import torch
from torch import Tensor

from wavezoo.wave.integrators.base import Integrator
from wavezoo.wave.system import WaveState, WaveSystem


class ExplicitEuler(Integrator):
    """Both rates at the old state: for ablation only, it is never stable.

    Equation (Hairer, Lubich and Wanner, Geometric Numerical Integration, I.1.5)::

        u⁺ = u + dt v;  v⁺ = v + dt (c² L u - gamma v)

    Every undamped mode grows by ``sqrt(1 + (omega dt)²)`` a step, whatever the step: the stability limit is 0, so
    the operator accepts it only with ``courant_guard="off"``. Order: 1. Neither symplectic nor reversible.
    """

    order = 1
    damped_order = 1
    symplectic = False
    reversible = False
    stability_limit = 0.0
    gamma_dt_limit = 0.0
    accelerations_to_start = 0
    accelerations_per_step = 1

    def init(self, system: WaveSystem, u: Tensor, v: Tensor) -> WaveState:
        return WaveState(u, v)

    def step(self, system: WaveSystem, state: WaveState, dt: float) -> WaveState:
        rate = system.damped_acceleration(state.u, state.v)
        return WaveState(torch.add(state.u, state.v, alpha=dt), torch.add(state.v, rate, alpha=dt))
