"""Sums of looks at a wave in closed form: all of them for one pair of transforms.

Looks add up before the inverse transform: mode by mode, ``Σ_j a_j u(t_j) + b_j v(t_j)`` is a number times the
displacement at the start, and another times the velocity. Both are sums of the two motions of an oscillator,
``P_j = e^(-s t_j) cos(w t_j)`` and ``Q_j = e^(-s t_j) sin(w t_j) / w``, see `superposed`::

    of the displacement: Σ a_j P_j + s Σ a_j Q_j - omega² Σ b_j Q_j
    of the velocity:     Σ b_j P_j + Σ a_j Q_j - s Σ b_j Q_j

Shapes: C channels, J looks, ``*G`` grid, ``*K`` modes.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from wavezoo.wave.layout import laid_out_like
from wavezoo.wave.readouts.base import Wave
from wavezoo.wave.spectral.superposition import superposed


class Sum(NamedTuple):
    """A weighted sum of looks at a wave, each ``(C, J)``.

    Attributes:
        times: when, in steps.
        displacement: weights of the displacement.
        velocity: weights of the velocity, which is in displacement per step.
    """

    times: Tensor
    displacement: Tensor
    velocity: Tensor


def summed(wave: Wave, looks: Sum, first: int = 0, kept_as: str | None = None) -> Tensor:
    """Return the sum of some looks at a wave, ``(B, C, *G)``.

    Args:
        wave: the wave.
        looks: the looks.
        first: number of the first of them, where each sees a wave with a start of its own.
        kept_as: what the sum's coefficients are called among what is kept of the medium; None not to keep them.
    """
    system, u = wave.system, wave.u
    modes, directions = system.modes, wave.start.directions(u.dtype)
    pushes: list[Tensor] = []
    if directions is not None:
        own_starts = directions.shape[1] > 1
        pushes += (directions[:, first : first + looks.times.shape[1]] if own_starts else directions).unbind(-1)
    elif wave.given is not None:
        pushes.append(torch.ones_like(looks.times))

    def made() -> list[Tensor]:
        own, *others = _coefficients(wave, looks, pushes)
        return [own, *(others if directions is None else [each * -system.speed for each in others])]

    own, *along = made() if kept_as is None else system.remembered((kept_as, len(pushes)), made)
    if wave.given is None:
        return modes.multiplied(u, own, along)
    return modes.inverse(own * modes.transform(u) + along[0] * modes.transform(wave.given))


def _coefficients(wave: Wave, looks: Sum, pushes: list[Tensor]) -> list[Tensor]:
    """Return the number by which displacement at the start is multiplied, and one for each push.

    Args:
        wave: the wave.
        looks: the looks.
        pushes: for each, by how much every look sees it, ``(C, J or 1)``.
    """
    times, a, b = looks
    squared = wave.integrator.omega_squared(wave.system, wave.u)
    omega_squared, gamma = squared.flatten(2), torch.atleast_3d(wave.system.damping_rate).flatten(2)
    s = gamma / 2
    of_cosine = torch.stack([a, *(push * b for push in pushes)], 1)
    of_sine = torch.stack([a, b, *(push * each for push in pushes for each in (a, b))], 1)
    cosines, sines = superposed(omega_squared, gamma, times, of_cosine, of_sine)
    own, *pushed = cosines.unbind(2)
    displaced, moved, *others = sines.unbind(2)
    found = [torch.addcmul(torch.addcmul(own, displaced, s), moved, omega_squared, value=-1)]
    for each, one, other in zip(pushed, others[::2], others[1::2], strict=True):
        found.append(torch.addcmul(each + one, other, s, value=-1))
    return [laid_out_like(each.view(each.shape[:2] + squared.shape[2:]), wave.u) for each in found]
