"""No damping."""

import math

import torch
from torch import Tensor

from wavezoo.wave.damping.base import Damping, Kick


class NoDamping(Damping):
    """The undamped wave equation: no damping field is built.

    Equation: ``v⁺ = v + dt a``. Limits the integrator's order in no way; stable for every gamma, which it ignores.
    """

    order = math.inf
    gamma_dt_limit = math.inf
    stability_factor = 1.0
    reversible = True
    uses_gamma = False
    exact_decay = True

    def rate(self, gamma: Tensor, eigenvalues: Tensor | None) -> Tensor:
        return torch.zeros_like(gamma)

    def opening(self, rate: Tensor, dt: float) -> Kick:
        return Kick(None, dt)

    def closing(self, rate: Tensor, dt: float) -> Kick:
        return Kick(None, dt)
