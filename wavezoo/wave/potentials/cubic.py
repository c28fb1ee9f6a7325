"""A force that grows with the cube of the displacement."""

import torch
from torch import Tensor, nn

from wavezoo.errors import require_positive
from wavezoo.wave.potentials.base import Potential
from wavezoo.wave.softplus import inverse_softplus


class CubicPotential(Potential):
    """A spring that hardens: a nonlinear layer in which loud waves oscillate faster.

    Equation (phi-four without mass): ``force(u) = -kappa u³``, kappa learned for each channel, in 1 / (displacement²
    time²). Potential: ``kappa u⁴ / 4``. Stiffness: ``3 kappa u²``, without bound: no Courant number is stable for every
    input, so that it goes with ``courant_guard="raise"`` or ``"off"`` only.

    Args:
        kappa: its value at the start.

    Raises:
        WavezooError: if ``kappa`` is not positive.
    """

    quadratic = False
    bounded_stiffness = False

    def __init__(self, channels: int, ndim: int, *, kappa: float = 0.1) -> None:
        super().__init__(channels, ndim)
        require_positive("kappa", kappa)
        self.initial_kappa = kappa
        self.weight = nn.Parameter(torch.empty(channels))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        nn.init.constant_(self.weight, inverse_softplus(self.initial_kappa))

    def force(self, u: Tensor) -> Tensor:
        return -self._kappa(u) * u**3

    def energy(self, u: Tensor) -> Tensor:
        return self._kappa(u) * u**4 / 4

    def stiffness(self, u: Tensor) -> Tensor:
        return 3 * self._kappa(u) * u.square()

    def _kappa(self, u: Tensor) -> Tensor:
        return nn.functional.softplus(self.weight.to(u.dtype)).view(-1, *[1] * self.ndim)
