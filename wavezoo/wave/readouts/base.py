"""The contract of read-outs.

Shapes: B batch, C channels, ``*G`` grid, ``(N,)`` or ``(H, W)``, J looks; channels first.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import NamedTuple

from torch import Tensor, nn

from wavezoo.errors import WavezooError, require_positive, require_whole
from wavezoo.wave.integrators.base import Integrator
from wavezoo.wave.starts import Start
from wavezoo.wave.system import WaveSystem

# Waves are first looked at before they have left the cell that they started in.
SHORTEST_TRAVEL = 0.3
DEFAULT_LOOKS = 8


class Wave(NamedTuple):
    """A wave that is to be solved and read.

    Attributes:
        system: its medium, with time in steps.
        integrator: solves it.
        start: gives the velocity at the start.
        u: displacement at the start, ``(B, C, *G)``.
        given: the velocity that the input gives, likewise, in displacement per step; None for none.
        steps: number of steps.
        step: length of a step in units of that on the grid on which the parameters were learned.
    """

    system: WaveSystem
    integrator: Integrator
    start: Start
    u: Tensor
    given: Tensor | None
    steps: int
    step: float


class Looks(NamedTuple):
    """When a fresh operator looks at its waves, in steps on the grid on which the parameters are learned.

    Attributes:
        number: how often, J.
        first: the first time.
        last: the last time.
        learned: whether times are free, and learned; otherwise they are those of steps.
    """

    number: int
    first: float
    last: float
    learned: bool


class ReadOut(nn.Module, ABC):
    """What an operator makes of its wave.

    Args:
        channels: number of channels C.
        ndim: number of grid axes.
        looks: when it looks.

    Attributes:
        takes_drift: whether what it reads may be carried along by a drift afterwards.
        many: whether it looks more than once.
    """

    takes_drift: bool = True
    many: bool = False

    def __init__(self, channels: int, ndim: int, looks: Looks) -> None:
        super().__init__()

    def physical_parameters(self) -> Iterator[nn.Parameter]:
        """Return its parameters that are physics, as against those of projections."""
        yield from ()

    @abstractmethod
    def solved(self, wave: Wave) -> tuple[Tensor, ...]:
        """Solve a wave and return what is read of it, each ``(B, C, *G)``, in the dtype of the solver."""

    def of_state(self, u: Tensor, v: Tensor) -> tuple[Tensor, ...]:
        """Return what `solved` would of a wave that ends at displacement ``u`` and velocity ``v``, ``(B, C, *G)``.

        For read-outs that look once, at the end.
        """
        raise NotImplementedError(f"{type(self).__name__} looks at more than the end.")

    def output(self, *read: Tensor) -> Tensor:
        """Return the output, ``(B, C, *G)``, of what `solved` returned; follows autocast."""
        return read[0]


def steps_to(reach: float | None, steps: int, travel: float) -> int:
    """Return the number of steps that take a wave ``reach`` cells at ``travel`` cells a step; ``steps`` if it is None.

    Raises:
        WavezooError: if ``reach`` is not positive.
    """
    if reach is None:
        return steps
    require_positive("reach", reach)
    # The tolerance keeps rounding of the quotient from adding a step.
    return max(1, math.ceil(reach / travel - 1e-6))


def looks_at(looks: int | None, last: float, travel: float, kind: type[ReadOut], integrator: Integrator) -> Looks:
    """Return when a fresh operator looks.

    Args:
        looks: how often; None for the default.
        last: when it looks last, in steps.
        travel: how many cells waves travel in a step.
        kind: the read-out.
        integrator: the integrator.

    Raises:
        WavezooError: if there are more looks than steps, or looks without a read-out that has any.
    """
    if looks is not None and not kind.many:
        raise WavezooError(
            f'looks is {looks!r}, and this read-out looks once; use readout="trajectory" or "trajectory_projected", '
            "or leave looks out."
        )
    if integrator.closed_form:
        count = DEFAULT_LOOKS if looks is None else require_whole("looks", looks)
        return Looks(count, min(SHORTEST_TRAVEL / travel, last), last, True)
    steps = math.ceil(last - 1e-6)
    count = steps if looks is None else require_whole("looks", looks)
    if count > steps:
        raise WavezooError(f"looks is {count}, and there are {steps} steps to look at; use fewer, or more steps.")
    return Looks(count, 1.0, last, False)
