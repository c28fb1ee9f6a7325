"""Velocity Verlet."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from wavezoo.wave.damping.base import between, closing, opening
from wavezoo.wave.integrators.base import Integrator
from wavezoo.wave.splitting import Stage
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
        return WaveState(u, v, system.pull(u))

    def step(self, system: WaveSystem, state: WaveState, dt: float) -> WaveState:
        u, v, carried = state
        v = system.kick(v, system.pull(u) if carried is None else carried, dt / 2, opening)
        u = torch.add(u, v, alpha=dt)
        pull = system.pull(u)
        return WaveState(u, system.kick(v, pull, dt / 2, closing), pull)

    def stages(self, dt: float, steps: int, velocity: bool = True) -> Sequence[Stage]:
        run = [Stage(between if number else opening, dt / 2, dt) for number in range(steps)]
        return [*run, Stage(closing, dt / 2, 0.0)] if velocity else run
