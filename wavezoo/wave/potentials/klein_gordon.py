"""A force towards zero, proportional to the displacement."""

import torch
from torch import Tensor, nn

from wavezoo.errors import require_positive
from wavezoo.wave.potentials.base import Potential
from wavezoo.wave.softplus import inverse_softplus


class KleinGordonPotential(Potential):
    """A spring at every position: waves below the frequency m do not travel, and the others travel slower.

    Equation (Klein-Gordon): ``force(u) = -m² u``, m learned for each channel, in 1 / time. Potential: ``m² u² / 2``.
    A mode oscillates with ``omega² = c² |k|² + m²``; stiffness: m².

    Args:
        mass: m at the start.

    Raises:
        WavezooError: if ``mass`` is not positive.
    """

    quadratic = True
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
        return -self.stiffness(u) * u

    def energy(self, u: Tensor) -> Tensor:
        return self.stiffness(u) * u.square() / 2

    def stiffness(self, u: Tensor) -> Tensor:
        return nn.functional.softplus(self.weight.to(u.dtype)).square().view(-1, *[1] * self.ndim)
