"""The exact solution of a kick."""

import torch
from torch import Tensor

from wavezoo.wave.damping.base import Kick

# Below this a series is exact to rounding in float32, and to 1e-13 in float64.
SMALL = 0.01


def exact_kick(rate: Tensor, dt: float) -> Kick:
    """Return the solution of ``v' = a - rate v``: ``v⁺ = e v + (1 - e) / rate a``, with ``e = exp(-rate dt)``."""
    x = rate * dt
    small = x.abs() < SMALL
    # Each branch has a harmless number where the other is taken, whose gradient is finite.
    large, near = torch.where(small, 1.0, x), torch.where(small, x, 0.0)
    series = 1 - near / 2 * (1 - near / 3 * (1 - near / 4 * (1 - near / 5)))
    return Kick(torch.exp(-x), dt * torch.where(small, series, -torch.expm1(-large) / large))
