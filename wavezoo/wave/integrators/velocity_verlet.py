"""Velocity Verlet."""

import math

import torch
from torch import Tensor

from wavezoo.wave.integrators.base import Integrator
from wavezoo.wave.system import WaveState, WaveSystem


class VelocityVerlet(Integrator):
    """Kick, drift, kick: second order, one acceleration a step.

    Equation (Wave-PDE Nets, Vejendla 2025, equations 2-4; Swope et al. 1982)::

        v½ = v + dt/2 a(u);  u⁺ = u + dt v½;  v⁺ = v½ + dt/2 a(u⁺)

    The acceleration at the end of a step serves the next one, and the kicks on either side of it are taken as one, so
    k steps evaluate it k + 1 times, k times where the final velocity is not wanted.
    Order: 2. Stability limit: omega dt <= 2. Symplectic, reversible.
    """

    order = 2
    damped_order = 2
    symplectic = True
    reversible = True
    stability_limit = 2.0
    gamma_dt_limit = math.inf
    accelerations_to_start = 1
    accelerations_per_step = 1

    def init(self, system: WaveSystem, u: Tensor, v: Tensor) -> WaveState:
        return WaveState(u, v, system.acceleration(u))

    def step(self, system: WaveSystem, state: WaveState, dt: float) -> WaveState:
        u, v, a = state
        v = system.opening_kick(v, system.acceleration(u) if a is None else a, dt / 2)
        u = torch.add(u, v, alpha=dt)
        a = system.acceleration(u)
        return WaveState(u, system.closing_kick(v, a, dt / 2), a)

    def advance(
        self, system: WaveSystem, u: Tensor, v: Tensor | None, dt: float, steps: int, velocity: bool = True
    ) -> tuple[Tensor, Tensor | None]:
        kinds = ["opening", *["between"] * (steps - 1), *["closing"] * velocity]
        for number, kind in enumerate(kinds):
            v = system.accelerated(v, u, kind, dt / 2)
            if number < steps:
                u = torch.add(u, v, alpha=dt)
        return u, v if velocity else None
