"""Exact decay on either side of the step."""

import math

import torch
from torch import Tensor

from wavezoo.wave.damping.base import Damping, Kick


class ExponentialDamping(Damping):
    """Exact decay on either side of a step: second order at the cost of the published scheme, stable for every gamma.

    Equation (Strang splitting of the damping), ``dt`` being the length of the kick, ``e = exp(-gamma dt)``::

        first half: v⁺ = e v + dt a;  second half: v⁺ = e (v + dt a)

    Order: 2. No limit on gamma dt, and the integrator's stability limit stays as it is. Reversible.
    """

    order = 2
    gamma_dt_limit = math.inf
    stability_factor = 1.0
    reversible = True
    uses_gamma = True
    exact_decay = True

    def rate(self, gamma: Tensor, eigenvalues: Tensor | None) -> Tensor:
        return gamma

    def opening(self, rate: Tensor, dt: float) -> Kick:
        return Kick(torch.exp(rate * -dt), dt)

    def closing(self, rate: Tensor, dt: float) -> Kick:
        decay = torch.exp(rate * -dt)
        return Kick(decay, decay * dt)
