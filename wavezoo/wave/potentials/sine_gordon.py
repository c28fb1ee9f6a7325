"""A force that is periodic in the displacement."""

import torch
from torch import Tensor, nn

from wavezoo.errors import require_positive
from wavezoo.wave.potentials.base import Potential
from wavezoo.wave.softplus import inverse_softplus


class SineGordonPotential(Potential):
    """A pendulum at every position: a nonlinear layer, with solitons, whose force stays bounded.

    Equation (sine-Gordon): ``force(u) = -m² sin u``, m learned for each channel, in 1 / time. Potential:
    ``m² (1 - cos u)``. Stiffness: at most m².

    Args:
        mass: m at the start.

    Raises:
        WavezooError: if ``mass`` is not positive.
    """

    quadratic = False
    bounded_stiffness = True

    def __init__(self, channels: int, ndim: int, *, mass: float = 0.5) -> None:
        super().__init__(channels, ndim)
        require_positive("mass", mass)
        self.initial_mass = mass
        self.weight = nn.Parameter(torch.empty(channels))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        nn.init.constant_(self.weight, inverse_softplus(self.initial_mass))

    def force(self, u: Tensor) -> Tensor:
        return -self.stiffness(u) * u.sin()

    def energy(self, u: Tensor) -> Tensor:
        return self.stiffness(u) * 2 * (u / 2).sin().square()

    def stiffness(self, u: Tensor) -> Tensor:
        return nn.functional.softplus(self.weight.to(u.dtype)).square().view(-1, *[1] * self.ndim)
