"""What every drift must do. ``build`` is called as ``build(channels, ndim)``."""

from collections.abc import Callable

import torch
from torch import Tensor

from wavezoo.testing.assertions import (
    grids,
    random_input,
    require,
    require_batch_independent,
    require_close,
    require_copies,
    require_full_initialisation,
    require_gradcheck,
    require_keeps_dtype_and_device,
)
from wavezoo.testing.causality import check_causal
from wavezoo.wave.drifts.base import Drift

Build = Callable[[int, int], Drift]


def moves_with_time(build: Build) -> None:
    """A field changes with time, and not in no time; a medium at rest has no drift."""
    for drift, grid in _on_grids(build):
        u = random_input((2, 3, *grid))
        require(not torch.allclose(drift.carry(u, _time(1.0)), u), "the field stays where it is")
        require_close(drift.carry(u, _time(0.0)), u, "a field moves in no time")


def times_add_up(build: Build) -> None:
    """To be carried for two times in turn is to be carried for their sum, and there and back is nowhere."""
    for drift, grid in _on_grids(build):
        u = random_input((2, 3, *grid))
        twice = drift.carry(drift.carry(u, _time(0.7)), _time(1.6))
        require_close(twice, drift.carry(u, _time(2.3)), "two times do not add up to their sum")
        require_close(drift.carry(drift.carry(u, _time(0.7)), _time(-0.7)), u, "there and back does not lead back")


def norm_is_kept(build: Build) -> None:
    """Carrying a field along neither adds to it nor takes away."""
    for drift, grid in _on_grids(build):
        u = random_input((2, 3, *grid))
        after = drift.carry(u, _time(3.3))
        for before_sum, after_sum in ((u.square(), after.square()), (u, after)):
            require_close(after_sum.flatten(2).sum(2), before_sum.flatten(2).sum(2), "a sum over the grid changes")


def smooth_waves_move_exactly(build: Build) -> None:
    """A field and one that is moved by whole cells stay apart by as many cells."""
    for drift, grid in _on_grids(build):
        u = random_input((2, 3, *grid))
        for axis in range(2, u.ndim):
            moved_first = drift.carry(u.roll(2, axis), _time(1.7))
            require_close(moved_first, drift.carry(u, _time(1.7)).roll(2, axis), "the drift is not uniform")


def time_by_channel(build: Build) -> None:
    """Each channel can have a time of its own."""
    for drift, grid in _on_grids(build):
        u = random_input((2, 3, *grid))
        times = torch.tensor([0.4, 1.1, 2.0], dtype=torch.float64)
        together = drift.carry(u, times)
        for channel, time in enumerate(times):
            alone = drift.carry(u, time.view(1))
            require_close(together[:, channel], alone[:, channel], f"channel {channel} has another's time")


def causal_where_declared(build: Build) -> None:
    """Where declared, nothing is carried from later positions to earlier ones."""
    drift = build(3, 1).double()
    if drift.causal:
        check_causal(lambda u: drift.carry(u, _time(0.7)), random_input((2, 3, 9)))


def gradient_to_every_parameter(build: Build) -> None:
    """Every parameter has a gradient that is not zero."""
    for drift, grid in _on_grids(build):
        parameters = dict(drift.named_parameters())
        if parameters:
            carried = drift.carry(random_input((2, 3, *grid)), _time(0.7))
            (carried * random_input((2, 3, *grid), seed=1)).sum().backward()
        for name, parameter in parameters.items():
            used = parameter.grad is not None and bool((parameter.grad != 0).all())
            require(used, f"the parameter {name} has no gradient")


def gradcheck(build: Build) -> None:
    """Its gradients are right, for the field, the time and every parameter."""
    for drift, grid in _on_grids(build):
        parameters = dict(drift.named_parameters())

        def apply(u: Tensor, time: Tensor, *values: Tensor) -> Tensor:
            given = {f"of.{name}": value for name, value in zip(parameters, values, strict=True)}  # noqa: B023
            return torch.func.functional_call(_Carried(drift), given, (u, time)) + 0 * time  # noqa: B023

        require_gradcheck(apply, random_input((1, 3, *grid)), _time(0.7), *parameters.values())


def dtype_and_device(build: Build) -> None:
    """Dtype and device are those of the field."""
    for drift, grid in _on_grids(build):
        require_keeps_dtype_and_device(lambda dtype: _Carried(build(3, drift.ndim).to(dtype)), (2, 3, *grid))  # noqa: B023


def batch_independence(build: Build) -> None:
    """A sample's result does not depend on its batch."""
    for drift, grid in _on_grids(build):
        require_batch_independent(_Carried(drift), (3, 3, *grid))


def full_initialisation(build: Build) -> None:
    """``reset_parameters`` sets all parameters and persistent buffers."""
    for ndim in (1, 2):
        require_full_initialisation(lambda: build(3, ndim))  # noqa: B023


def copies(build: Build) -> None:
    """Deepcopy and pickle keep it."""
    for drift, grid in _on_grids(build):
        u = random_input((1, 3, *grid))
        require_copies(drift, lambda clone: clone.carry(u, _time(0.7)))  # noqa: B023


class _Carried(torch.nn.Module):
    """A drift over a given time, as a module of the field."""

    def __init__(self, of: Drift) -> None:
        super().__init__()
        self.of = of

    def forward(self, u: Tensor, time: Tensor | None = None) -> Tensor:
        return self.of.carry(u, u.new_full((1,), 0.7) if time is None else time)


def _time(value: float) -> Tensor:
    return torch.tensor([value], dtype=torch.float64)


def _on_grids(build: Build) -> list[tuple[Drift, tuple[int, ...]]]:
    return [(build(3, len(grid)).double(), grid) for grid in [*grids((1, 2)), (130,)]]


CHECKS = [
    moves_with_time,
    times_add_up,
    norm_is_kept,
    smooth_waves_move_exactly,
    time_by_channel,
    causal_where_declared,
    gradient_to_every_parameter,
    gradcheck,
    dtype_and_device,
    batch_independence,
    full_initialisation,
    copies,
]
