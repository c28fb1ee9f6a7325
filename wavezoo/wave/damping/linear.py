"""Damping as published."""

import math

from torch import Tensor

from wavezoo.wave.damping.base import Damping, Kick


class LinearDamping(Damping):
    """The damped kick of Wave-PDE Nets as published: explicit, first order.

    Equation (Vejendla 2025, equations 2 and 4), in either half of a step, ``dt`` being the length of the kick::

        v⁺ = v + dt (a - gamma v)

    With velocity Verlet, seen at half steps, it is `exponential` damping by ``d = 1 - gamma dt/2`` in a medium whose
    c² is larger by ``(1 + d) / (1 + d²)``. Hence order 1, and hence a stability limit on omega dt that is lower by
    up to 9 % (a factor ``sqrt(2 sqrt(2) - 2)``, met at ``gamma dt = 4 - 2 sqrt(2)``). Stable for ``gamma dt <= 4``.
    """

    order = 1
    gamma_dt_limit = 4.0
    stability_factor = math.sqrt(2 * math.sqrt(2) - 2)
    reversible = False
    uses_gamma = True

    def rate(self, gamma: Tensor, eigenvalues: Tensor | None) -> Tensor:
        return gamma

    def opening(self, rate: Tensor, dt: float) -> Kick:
        return Kick(1 - rate * dt, dt)

    def closing(self, rate: Tensor, dt: float) -> Kick:
        return Kick(1 - rate * dt, dt)
