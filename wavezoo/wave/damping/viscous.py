"""Viscous damping of the Kelvin-Voigt kind."""

import math

from torch import Tensor

from wavezoo.wave.damping.base import Damping, Kick
from wavezoo.wave.damping.exact_kick import exact_kick
from wavezoo.wave.scheme import Requires


class ViscousDamping(Damping):
    """Damping by inner friction, which takes fine ripples first: the rate grows with the square of the wave number.

    Equation (Kelvin-Voigt solid): ``u_tt = c² ∇²u + gamma ∇² u_t``, gamma in cells² / time, so that a mode decays at
    the rate ``gamma |k|²``. Each kick is that of `exponential` damping for every mode by itself, ``dt`` being its
    length, ``e = exp(-gamma |k|² dt)``::

        v⁺ = e v + (1 - e) / (gamma |k|²) a

    Order: 2. No limit on gamma dt. Reversible, though what has decayed far is lost in rounding. Needs a Laplacian with
    modes, and speed and damping that are the same everywhere: in a varying medium this friction can feed energy in.
    """

    order = 2
    gamma_dt_limit = math.inf
    stability_factor = 1.0
    reversible = True
    uses_gamma = True
    exact_decay = True
    in_modes = True
    causal = False
    requires = Requires(modes=True, uniform_speed=True, uniform_damping=True)

    def rate(self, gamma: Tensor, eigenvalues: Tensor | None) -> Tensor:
        assert eigenvalues is not None
        return gamma * -eigenvalues

    def opening(self, rate: Tensor, dt: float) -> Kick:
        return exact_kick(rate, dt)

    def closing(self, rate: Tensor, dt: float) -> Kick:
        return exact_kick(rate, dt)
