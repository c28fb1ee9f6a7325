"""Sums of looks at a wave in closed form: all of them for one pair of transforms.

Looks add up before the inverse transform: mode by mode, ``Σ_j a_j u(t_j) + b_j v(t_j)`` is a number times the
displacement at the start, and another times the velocity.

Shapes: C channels, ``*G`` grid, ``*K`` modes.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from wavezoo.wave.readouts.base import Wave

Number = Tensor | float


class Look(NamedTuple):
    """A look at a wave, each a number or broadcastable to ``(1, C, *K)``.

    Attributes:
        time: when, in steps.
        displacement: weight of the displacement.
        velocity: weight of the velocity, which is in displacement per step; None where it is not looked at.
    """

    time: Number
    displacement: Number
    velocity: Number | None


def summed(wave: Wave, looks: Sequence[Look], first: int = 0, kept_as: str | None = None) -> Tensor:
    """Return the sum of some looks at a wave, ``(B, C, *G)``.

    Args:
        wave: the wave.
        looks: the looks.
        first: number of the first of them, where each sees a wave with a start of its own.
        kept_as: what the sum's coefficients are called among what is kept of the medium; None not to keep them.
    """
    system, start, u = wave.system, wave.start, wave.u
    modes, directions = system.modes, start.directions(u.dtype)
    spectrum = modes.transform(u)
    axes: list[Tensor | None] = []
    if directions is not None:
        axes += [each.view(1, *each.shape, *[1] * (u.ndim - 2)) for each in directions.unbind(-1)]
    elif wave.given is not None:
        axes.append(None)

    def made() -> list[Tensor]:
        own, *others = _coefficients(wave, looks, axes, first)
        return [own, *(others if directions is None else [each * -system.speed for each in others])]

    own, *along = made() if kept_as is None else system.remembered((kept_as, len(axes)), made)
    if directions is not None:
        return modes.inverse(system.gradient.combined(spectrum, own, along))
    if wave.given is None:
        return modes.inverse(own * spectrum)
    return modes.inverse(own * spectrum + along[0] * modes.transform(wave.given))


def _coefficients(wave: Wave, looks: Sequence[Look], pushes: Sequence[Tensor | None], first: int = 0) -> list[Tensor]:
    """Return the number by which displacement at the start is multiplied, and one for each push.

    Args:
        wave: the wave.
        looks: the looks.
        pushes: for each the velocity at the start that each look sees, ``(1, C, J or 1, ...)``; None for one.
        first: number of the first look.
    """
    totals: list[Tensor] = []
    for number, (time, a, b) in enumerate(looks, first):
        exact = wave.integrator.propagator(wave.system, wave.u, time)
        own = a * exact.uu if b is None else a * exact.uu + b * exact.vu
        found = [own]
        if pushes:
            pushed = a * exact.uv if b is None else a * exact.uv + b * exact.vv
            for push in pushes:
                found.append(pushed if push is None else push[:, :, number if push.shape[2] > 1 else 0] * pushed)
        totals = [torch.add(*pair) for pair in zip(totals, found, strict=True)] if totals else found
    return totals
