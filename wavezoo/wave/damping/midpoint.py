"""Damping by the midpoint rule."""

import math

from torch import Tensor

from wavezoo.wave.damping.base import Damping, Kick


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

    def rate(self, gamma: Tensor, eigenvalues: Tensor | None) -> Tensor:
        return gamma

    def opening(self, rate: Tensor, dt: float) -> Kick:
        return Kick(_decay(rate, dt), dt)

    def closing(self, rate: Tensor, dt: float) -> Kick:
        decay = _decay(rate, dt)
        return Kick(decay, decay * dt)


def _decay(rate: Tensor, dt: float) -> Tensor:
    half = rate * (dt / 2)
    return (1 - half) / (1 + half)
