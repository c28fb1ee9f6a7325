"""No force."""

import torch
from torch import Tensor

from wavezoo.wave.sources.base import Source


class NoSource(Source):
    """No force: the linear wave equation, as published.

    Equation: ``force(u) = 0``.
    """

    exerts_force = False
    linear = True
    bounded_stiffness = True

    def force(self, u: Tensor) -> Tensor:
        return torch.zeros_like(u)

    def potential(self, u: Tensor) -> Tensor:
        return torch.zeros_like(u)

    def stiffness(self, u: Tensor) -> Tensor:
        return u.new_zeros(())
