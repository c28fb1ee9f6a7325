"""Ruth's third-order scheme."""

import torch
from torch import Tensor

from wavezoo.wave.integrators.base import Integrator
from wavezoo.wave.system import WaveState, WaveSystem

KICKS = (7 / 24, 3 / 4, -1 / 24)
DRIFTS = (2 / 3, -2 / 3, 1.0)


class Ruth3(Integrator):
    """Three kicks and three drifts: third order, symplectic.

    Equation (Ruth 1983, IEEE Transactions on Nuclear Science 30, 2669): kicks by ``7/24, 3/4, -1/24`` and drifts by
    ``2/3, -2/3, 1`` times dt, in turn.

    Order: 3, also with `exponential` damping. Stability limit: omega dt <= 2.507, gamma dt <= 5.8.
    Symplectic, not reversible. Three accelerations a step.
    """

    order = 3
    damped_order = 3
    symplectic = True
    reversible = False
    stability_limit = 2.507
    gamma_dt_limit = 5.8
    accelerations_to_start = 0
    accelerations_per_step = 3

    def init(self, system: WaveSystem, u: Tensor, v: Tensor) -> WaveState:
        return WaveState(u, v)

    def step(self, system: WaveSystem, state: WaveState, dt: float) -> WaveState:
        u, v, _ = state
        for kick, drift in zip(KICKS, DRIFTS, strict=True):
            v = system.kick(v, system.pull(u), kick * dt)
            u = torch.add(u, v, alpha=drift * dt)
        return WaveState(u, v)
