"""Damping by the midpoint rule."""

import math

import torch
from torch import Tensor

from wavezoo.contracts import Damping


class MidpointDamping(Damping):
    """The decay of `exponential` by the implicit midpoint rule: rational instead of an exponential, time-symmetric.

    Equation, ``dt`` being the length of the kick, ``e = (1 - gamma dt/2) / (1 + gamma dt/2)``::

        first half: v⁺ = e v + dt a;  second half: v⁺ = e (v + dt a)

    Order: 2. Stable for every gamma, though beyond ``gamma dt = 2`` the velocity changes its sign instead of vanishing;
    the integrator's stability limit stays as it is. Reversible.
    """

    order = 2
    gamma_dt_limit = math.inf
    stability_factor = 1.0
    reversible = True
    uses_gamma = True

    def decay(self, gamma: Tensor, dt: float) -> Tensor:
        half = gamma * (dt / 2)
        return (1 - half) / (1 + half)

    def opening_kick(self, v: Tensor, a: Tensor, dt: float, decay: Tensor) -> Tensor:
        return torch.add(v * decay, a, alpha=dt)

    def closing_kick(self, v: Tensor, a: Tensor, dt: float, decay: Tensor) -> Tensor:
        return torch.add(v, a, alpha=dt) * decay

    def rate(self, v: Tensor, gamma: Tensor) -> Tensor:
        return -gamma * v
