"""Read-outs of a wave at its end.

Shapes: B batch, C channels, ``*G`` grid, ``(N,)`` or ``(H, W)``; channels first.
"""

import torch
from torch import Tensor

from wavezoo.wave.convolution import conv
from wavezoo.wave.readouts.base import Looks, ReadOut, Wave
from wavezoo.wave.readouts.closed_form import Sum, summed


class Displacement(ReadOut):
    """The displacement at the end."""

    def solved(self, wave: Wave) -> tuple[Tensor, ...]:
        return final_state(wave, velocity=False)

    def of_state(self, u: Tensor, v: Tensor) -> tuple[Tensor, ...]:
        return (u,)


class Velocity(ReadOut):
    """The velocity at the end, in displacement per step on the grid on which the parameters were learned."""

    def solved(self, wave: Wave) -> tuple[Tensor, ...]:
        return final_state(wave, velocity=True)[1:]

    def of_state(self, u: Tensor, v: Tensor) -> tuple[Tensor, ...]:
        return (v,)


class Projected(ReadOut):
    """A learned 1x1 convolution of displacement and velocity at the end."""

    def __init__(self, channels: int, ndim: int, looks: Looks) -> None:
        super().__init__(channels, ndim, looks)
        self.projection = conv(ndim)(2 * channels, channels, 1)

    def solved(self, wave: Wave) -> tuple[Tensor, ...]:
        return final_state(wave, velocity=True)

    def of_state(self, u: Tensor, v: Tensor) -> tuple[Tensor, ...]:
        return (u, v)

    def output(self, *read: Tensor) -> Tensor:
        output: Tensor = self.projection(torch.cat(read, 1).to(self.projection.weight.dtype))
        return output


def final_state(wave: Wave, velocity: bool) -> tuple[Tensor, ...]:
    """Return the displacement at the end and, if wanted, the velocity."""
    system, integrator, start, u, given, steps, step = wave
    if integrator.closed_form and start.directions(u.dtype) is not None:
        # Never on the grid, beyond whose open edges the velocity goes on.
        time = u.new_full((u.shape[1], 1), float(steps))
        one, none = torch.ones_like(time), torch.zeros_like(time)
        found = (Sum(time, one, none), Sum(time, none, one / step))
        return tuple(summed(wave, look, kept_as=f"end {number}") for number, look in enumerate(found[: 1 + velocity]))
    u, v = integrator.advance(system, u, start.velocity(system, u, given), 1.0, steps, velocity)
    return (u,) if v is None or not velocity else (u, v / step)
