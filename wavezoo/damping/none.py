"""No damping."""

import math

import torch
from torch import Tensor

from wavezoo.contracts import Damping


class NoDamping(Damping):
    """The undamped wave equation: no damping field is built.

    Equation: ``v⁺ = v + dt a``. Limits the integrator's order in no way; stable for every gamma, which it ignores.
    """

    order = math.inf
    gamma_dt_limit = math.inf
    stability_factor = 1.0
    reversible = True
    uses_gamma = False

    def decay(self, gamma: Tensor, dt: float) -> Tensor:
        return torch.ones_like(gamma)

    def opening_kick(self, v: Tensor, a: Tensor, dt: float, decay: Tensor) -> Tensor:
        return torch.add(v, a, alpha=dt)

    def closing_kick(self, v: Tensor, a: Tensor, dt: float, decay: Tensor) -> Tensor:
        return torch.add(v, a, alpha=dt)

    def rate(self, v: Tensor, gamma: Tensor) -> Tensor:
        return torch.zeros_like(v)
