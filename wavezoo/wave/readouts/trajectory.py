"""Read-outs of a whole trajectory: many looks at one wave.

Shapes: B batch, C channels, ``*G`` grid, ``(N,)`` or ``(H, W)``, J looks; channels first.
"""

import math
from collections.abc import Iterator

import torch
from torch import Tensor, nn

from wavezoo.wave.readouts.base import Looks, ReadOut, Wave
from wavezoo.wave.readouts.closed_form import Sum, summed

# Later times would overflow float32.
LARGEST_LOG_TIME = 40.0


class Times(nn.Module):
    """When to look: at learned times per channel and look in closed form, at evenly spaced steps otherwise.

    Fresh times are spread evenly in their logarithm, the same for every channel.
    """

    def __init__(self, channels: int, looks: Looks) -> None:
        super().__init__()
        self.looks = looks
        self.log_time = nn.Parameter(torch.empty(channels, looks.number)) if looks.learned else None
        self.reset_parameters()

    def reset_parameters(self) -> None:
        if self.log_time is not None:
            ends = (math.log(self.looks.first), math.log(self.looks.last))
            steps = self.looks.number
            values = torch.linspace(*ends, steps) if steps > 1 else torch.tensor([ends[1]])
            with torch.no_grad():
                self.log_time.copy_(values.expand_as(self.log_time))

    def free(self, like: Tensor, step: float) -> Tensor:
        """Return the times of all looks, in steps of length ``step``, ``(C, J)``."""
        assert self.log_time is not None
        return self.log_time.to(like.dtype).clamp(max=LARGEST_LOG_TIME).exp() / step

    def steps(self, steps: int) -> list[int]:
        """Return after which of ``steps`` steps each look is."""
        return [round((look + 1) * steps / self.looks.number) for look in range(self.looks.number)]


class TrajectorySum(ReadOut):
    """A learned sum of displacements and velocities: ``y = Σ_j a_j u(t_j) + b_j v(t_j)``, weights per channel.

    Velocities are in displacement per step on the grid on which the parameters were learned, that is, where a fresh
    wave travels about a cell a step, of the size of displacements. Fresh, ``a_j`` is drawn from N(0, 1/J), and
    ``b_j`` is zero. In closed form all looks together cost one pair of transforms; step by step they are added up on
    the way.
    """

    takes_drift = False
    many = True

    def __init__(self, channels: int, ndim: int, looks: Looks) -> None:
        super().__init__(channels, ndim, looks)
        self.times = Times(channels, looks)
        self.displacement = nn.Parameter(torch.empty(channels, looks.number))
        self.velocity = nn.Parameter(torch.empty(channels, looks.number))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        nn.init.normal_(self.displacement, std=self.displacement.shape[1] ** -0.5)
        nn.init.zeros_(self.velocity)

    def physical_parameters(self) -> Iterator[nn.Parameter]:
        yield from self.parameters()

    def solved(self, wave: Wave) -> tuple[Tensor, ...]:
        a, b = self.displacement.to(wave.u.dtype), self.velocity.to(wave.u.dtype) / wave.step
        if wave.integrator.closed_form:
            looks = Sum(self.times.free(wave.u, wave.step), a, b)
            return (summed(wave, looks, kept_as="trajectory"),)
        a, b = (each.view(*each.shape, *[1] * (wave.u.ndim - 2)) for each in (a, b))
        total: Tensor | None = None
        for look, (u, v) in enumerate(looked_at(wave, self.times)):
            found = a[:, look] * u if total is None else torch.addcmul(total, a[:, look], u)
            total = torch.addcmul(found, b[:, look], v)
        assert total is not None
        return (total,)


class TrajectoryProjection(ReadOut):
    """A learned linear map of displacements and velocities of all channels at all looks at a position.

    A 1x1 convolution for each look, summed. In closed form it costs two inverse transforms a look.
    """

    takes_drift = False
    many = True

    def __init__(self, channels: int, ndim: int, looks: Looks) -> None:
        super().__init__(channels, ndim, looks)
        self.times = Times(channels, looks)
        self.weight = nn.Parameter(torch.empty(looks.number, channels, 2 * channels))
        self.bias = nn.Parameter(torch.empty(channels))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        bound = (2 * self.weight.shape[1] * self.weight.shape[0]) ** -0.5
        nn.init.uniform_(self.weight, -bound, bound)
        nn.init.uniform_(self.bias, -bound, bound)

    def physical_parameters(self) -> Iterator[nn.Parameter]:
        yield from self.times.parameters()

    def solved(self, wave: Wave) -> tuple[Tensor, ...]:
        total = self.bias.to(wave.u.dtype).view(1, -1, 1)
        for (u, v), weight in zip(looked_at(wave, self.times), self.weight.to(wave.u.dtype), strict=True):
            both = torch.cat([u, v / wave.step], 1).flatten(2)
            total = total + weight @ both
        return (total.view_as(wave.u),)


def looked_at(wave: Wave, times: Times) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield displacement and velocity, in displacement per step, at each look."""
    system, integrator, start, u, given, steps, step = wave
    if integrator.closed_form:
        for number, time in enumerate(times.free(u, step).split(1, 1)):
            one, none = torch.ones_like(time), torch.zeros_like(time)
            yield summed(wave, Sum(time, one, none), number), summed(wave, Sum(time, none, one), number)
        return
    v = start.velocity(system, u, given)
    state = integrator.init(system, u, torch.zeros_like(u) if v is None else v)
    at = times.steps(steps)
    for number in range(1, steps + 1):
        state = integrator.step(system, state, 1.0)
        for _ in range(at.count(number)):
            yield state.u, state.v
