"""Viscous damping of the Kelvin-Voigt kind."""

import math

import torch
from torch import Tensor

from wavezoo.wave.damping.base import Damping, Kick
from wavezoo.wave.scheme import Requires


class ViscousDamping(Damping):
    """Damping by inner friction, which takes fine ripples first: the rate grows with the square of the wave number.

    Equation (Kelvin-Voigt solid): ``u_tt = c² ∇²u + gamma ∇² u_t``, gamma in cells² / time, so that a mode decays at
    the rate ``gamma |k|²``. Each kick decays every mode by itself, exactly, ``dt`` being the length of the kick,
    ``e = exp(-gamma |k|² dt)``::

        first half: v⁺ = e v + dt a;  second half: v⁺ = e (v + dt a)

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
    requires = Requires(modes=True, uniform_speed=True, uniform_damping=True)

    def rate(self, gamma: Tensor, eigenvalues: Tensor | None) -> Tensor:
        assert eigenvalues is not None
        return gamma * -eigenvalues

    def opening(self, rate: Tensor, dt: float) -> Kick:
        return Kick(torch.exp(rate * -dt), dt)

    def closing(self, rate: Tensor, dt: float) -> Kick:
        decay = torch.exp(rate * -dt)
        return Kick(decay, decay * dt)
