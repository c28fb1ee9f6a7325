"""How a wave starts: its velocity at time zero.

Shapes: B batch, C channels, ``*G`` grid, ``(N,)`` or ``(H, W)``; channels first.
"""

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from wavezoo.wave.convolution import conv
from wavezoo.wave.scheme import Requires
from wavezoo.wave.system import WaveSystem


class Start(nn.Module):
    """A field at rest: the simplest start, and the contract of the others.

    Args:
        channels: number of channels C.
        ndim: number of grid axes.
        looks: number of looks that may each have a start of their own; 1 where all see the same wave.
    """

    requires = Requires()

    def __init__(self, channels: int, ndim: int, looks: int = 1) -> None:
        super().__init__()

    def given(self, x: Tensor) -> Tensor | None:
        """Return the velocity that the input gives, ``(B, C, *G)``, in displacement / time; None where it gives none.

        Follows autocast.
        """
        return None

    def directions(self, dtype: torch.dtype) -> Tensor | None:
        """Return where the wave of each look is on its way to, ``(C, looks, ndim)``; None for nowhere."""
        return None

    def physical_parameters(self) -> Iterator[nn.Parameter]:
        """Return its parameters that are physics, as against those of projections."""
        yield from ()

    def velocity(self, system: WaveSystem, u: Tensor, given: Tensor | None, look: int = -1) -> Tensor | None:
        """Return the velocity of a wave that starts at displacement ``u``; None for rest.

        Args:
            system: the medium.
            u: displacement, ``(B, C, *G)``.
            given: what `given` returned, per time of ``system``.
            look: the look whose wave it is.
        """
        return given


class ProjectedStart(Start):
    """The velocity is a learned 1x1 convolution of the input."""

    def __init__(self, channels: int, ndim: int, looks: int = 1) -> None:
        super().__init__(channels, ndim, looks)
        self.projection = conv(ndim)(channels, channels, 1)

    def given(self, x: Tensor) -> Tensor | None:
        velocity: Tensor = self.projection(x)
        return velocity


class TransportedStart(Start):
    """A wave on its way: ``v0 = -c r·∇u0``, a learned direction r, ``|r| < 1``, per channel, and look in closed form.

    In one dimension ``r = ±1`` is a wave that runs one way only, and keeps its shape, and ``r = 0`` a field at rest,
    which parts into two. ``r = w / sqrt(1 + |w|²)``, with w drawn from a normal distribution. The gradient is that of
    the interpolation in the Laplacian's basis: between walls the field is mirrored, at points where it is zero mirrored
    with changed sign, and beyond an open edge it is zero.
    """

    requires = Requires(modes=True)

    def __init__(self, channels: int, ndim: int, looks: int = 1) -> None:
        super().__init__(channels, ndim, looks)
        self.weight = nn.Parameter(torch.empty(channels, looks, ndim))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        nn.init.normal_(self.weight)

    def physical_parameters(self) -> Iterator[nn.Parameter]:
        yield self.weight

    def directions(self, dtype: torch.dtype) -> Tensor | None:
        weight = self.weight.to(dtype)
        return weight * (1 + weight.square().sum(-1, keepdim=True)).rsqrt()

    def velocity(self, system: WaveSystem, u: Tensor, given: Tensor | None, look: int = -1) -> Tensor | None:
        modes = system.modes
        directions = self.directions(u.dtype)
        assert directions is not None
        along = [each.view(1, -1, *[1] * (u.ndim - 2)) for each in directions[:, look].unbind(-1)]
        slope = modes.inverse(system.gradient.combined(modes.transform(u), torch.zeros_like(along[0]), along))
        return -system.speed * slope


STARTS: dict[str, type[Start]] = {"zero": Start, "projected": ProjectedStart, "transported": TransportedStart}
