"""Damping by the midpoint rule."""

import math

from torch import Tensor

from wavezoo.wave.damping.base import Damping, Kick


class MidpointDamping(Damping):
    """The kicks of `exponential` by Euler's rules: rational instead of exponentials, a midpoint rule over the step.

    Equation, ``dt`` being the length of the kick::

        first half: v⁺ = (v + dt a) / (1 + gamma dt);  second half: v⁺ = v + dt (a - gamma v)

    The first is implicit and the second explicit, so that a whole step is time-symmetric, and between the two a
    strongly damped cell drifts at its terminal velocity ``a / gamma``. Order: 2. Stable for every gamma, though where
    ``gamma dt`` exceeds 2 for the whole step a free velocity changes its sign instead of vanishing; the integrator's
    stability limit stays as it is. Reversible.
    """

    order = 2
    gamma_dt_limit = math.inf
    stability_factor = 1.0
    reversible = True
    uses_gamma = True

    def rate(self, gamma: Tensor, eigenvalues: Tensor | None) -> Tensor:
        return gamma

    def opening(self, rate: Tensor, dt: float) -> Kick:
        decay = 1 / (1 + rate * dt)
        return Kick(decay, decay * dt)

    def closing(self, rate: Tensor, dt: float) -> Kick:
        return Kick(1 - rate * dt, dt)
