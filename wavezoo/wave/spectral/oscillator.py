"""The damped oscillator in closed form: what a mode of the wave equation does.

Shapes: any; all arguments broadcast.
"""

import math
from typing import NamedTuple

import torch
from torch import Tensor

# Below this, series in (omega t)² are exact to rounding in float32, and to 1e-11 in float64.
SMALL = 0.05


class Propagator(NamedTuple):
    """The coefficients of ``u⁺ = uu u + uv v``, ``v⁺ = vu u + vv v``."""

    uu: Tensor
    uv: Tensor
    vu: Tensor
    vv: Tensor

    def displacement(self, u: Tensor, v: Tensor | None) -> Tensor:
        """Return the displacement after the time of the propagator; ``v`` of None stands for rest."""
        return self.uu * u if v is None else self.uu * u + self.uv * v

    def velocity(self, u: Tensor, v: Tensor | None) -> Tensor:
        """Return the velocity after the time of the propagator."""
        return self.vu * u if v is None else self.vu * u + self.vv * v


def propagator(omega_squared: Tensor, gamma: Tensor, time: Tensor | float) -> Propagator:
    """Return the exact solution of ``u'' = -omega² u - gamma u'`` over ``time``.

    With ``s = gamma / 2``, ``w² = omega² - s²`` and ``S = sin(w t) / w``::

        u⁺ = e^(-s t) [cos(w t) u + S (v + s u)]
        v⁺ = e^(-s t) [cos(w t) v - S (s v + omega² u)]

    with cosh and sinh where ``w² < 0``, whose growth is taken together with the decay so that nothing overflows, and so
    that what is slow, ``-s t + |w| t = -omega² t / (s + |w|)``, is not the difference of what is large.
    """
    if isinstance(time, Tensor):
        unit = propagator(omega_squared * time.square(), gamma * time, 1.0)
        return Propagator(unit.uu, unit.uv * time, unit.vu / time, unit.vv)
    s = gamma / 2
    cosine, sine = _decayed(omega_squared, s, time)
    return Propagator(cosine + s * sine, sine, -omega_squared * sine, cosine - s * sine)


def sinc(squared: Tensor) -> Tensor:
    """Return ``sin(x) / x`` from ``x²``, smooth at zero."""
    small = squared < SMALL
    x = torch.where(small, 1.0, squared).sqrt()
    return torch.where(small, _series(squared, 1), x.sin() / x)


def _decayed(omega_squared: Tensor, s: Tensor, time: float) -> tuple[Tensor, Tensor]:
    """Return ``e^(-s t) cos(w t)`` and ``e^(-s t) sin(w t) / w``."""
    squared = (omega_squared - s.square()) * time**2
    small = squared.abs() < SMALL
    decay = torch.exp(s * -time)
    w = torch.where(small, 1.0, squared.abs()).sqrt()
    # Overdamped modes, one fast and one slow; the others stand in as 1, whose gradient is finite.
    overdamped = (squared < 0) & ~small
    sum_of_rates = torch.where(overdamped, s * abs(time) + w, 1.0)
    slow = torch.exp(torch.where(overdamped, omega_squared * (-time * abs(time)) / sum_of_rates, 0.0))
    fast = torch.exp(torch.where(overdamped, sum_of_rates * -math.copysign(1, time), 0.0))
    cosine = torch.where(overdamped, (slow + fast) / 2, decay * torch.where(small, _series(squared, 0), w.cos()))
    sine = torch.where(
        overdamped,
        (slow - fast) * (math.copysign(1, time) / 2) / w,
        decay * torch.where(small, _series(squared, 1), w.sin() / w),
    )
    return cosine, time * sine


def _series(squared: Tensor, first: int) -> Tensor:
    """Return ``Σ_n (-squared)^n / (2n + first)!``: the cosine for 0, the sine over its argument for 1."""
    total = torch.ones_like(squared)
    for n in range(5, 0, -1):
        total = 1 - total * squared / ((2 * n + first) * (2 * n + first - 1))
    return total
