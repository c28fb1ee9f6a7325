"""Exact kicks on either side of the step."""

import math

from torch import Tensor

from wavezoo.wave.damping.base import Damping, Kick
from wavezoo.wave.damping.exact_kick import exact_kick


class ExponentialDamping(Damping):
    """Exact kicks on either side of a step: second order at the cost of the published scheme, stable for every gamma.

    Equation (the solution of ``v' = a - gamma v``), in either half of a step, ``dt`` being the length of the kick,
    ``e = exp(-gamma dt)``::

        v⁺ = e v + (1 - e) / gamma a

    However strong the damping, a cell drifts at its terminal velocity ``a / gamma``: it is held still as it should be.
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
        return exact_kick(rate, dt)

    def closing(self, rate: Tensor, dt: float) -> Kick:
        return exact_kick(rate, dt)
