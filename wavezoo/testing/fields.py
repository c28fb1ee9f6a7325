"""What every parameter field must do. ``build`` is called as ``build(channels, ndim, initial=...)``."""

from collections.abc import Callable

import torch

from wavezoo.testing.assertions import (
    grids,
    random_input,
    relative,
    require,
    require_batch_independent,
    require_close,
    require_copies,
    require_full_initialisation,
    require_gradcheck,
    require_keeps_dtype_and_device,
)
from wavezoo.testing.causality import later_position_seen
from wavezoo.wave.fields.base import ParameterField

Build = Callable[..., ParameterField]


def positive(build: Build) -> None:
    """Values are positive and finite, also far from what a fresh layer sees."""
    for field, grid in _on_grids(build):
        for scale in (0.0, 1.0, 1e4):
            value = field(scale * random_input((2, 3, *grid)))
            # A softplus far below zero rounds to zero; a speed of zero is a medium at rest and does no harm.
            require(
                (value >= 0).all() and value.isfinite().all(), f"values for inputs of size {scale:g} are not positive"
            )
        require((field(random_input((2, 3, *grid))) > 0).all(), "values are not positive")


def starts_at_its_initial_value(build: Build) -> None:
    """A fresh field gives ``initial`` in the middle of the grid where its input is zero, on average in logarithms."""
    for grid in grids((1, 2)):
        for initial in (0.05, 0.7, 3.0):
            zeros = torch.zeros(1, 3, *grid, dtype=torch.float64)
            values = build(3, len(grid), initial=initial).double()(zeros).expand_as(zeros)
            middle = tuple(size // 2 for size in grid)
            index = (0, ..., *middle)
            value = values[index].log().mean().exp().item()
            require(relative(value, initial) <= 1e-5, f"initial={initial} gives {value:.6g}")


def broadcastable(build: Build) -> None:
    """The result broadcasts to the input's shape."""
    for field, grid in _on_grids(build):
        x = random_input((2, 3, *grid))
        shape = field(x).shape
        fits = len(shape) == x.ndim and all(size in (1, full) for size, full in zip(shape, x.shape, strict=True))
        require(fits, f"shape {tuple(shape)} does not broadcast to {tuple(x.shape)}")


def declares_its_dependence(build: Build) -> None:
    """Input and position change the value where declared, and only there."""
    for field, grid in _on_grids(build):
        x = random_input((2, 3, *grid))
        changes = not torch.equal(field(x), field(2 * x))
        require(changes == field.depends_on_input, f"depends_on_input is {field.depends_on_input}, observed {changes}")
        value = field(torch.zeros_like(x)).expand_as(x).flatten(2)
        varies = bool((value - value[..., :1]).abs().max() > 1e-12)
        require(varies <= field.depends_on_position, f"depends_on_position is {field.depends_on_position}")
        varies_at_all = any(size != 1 for size in field(x).shape[2:])
        require(varies_at_all == field.varies_in_space, f"varies_in_space is {field.varies_in_space}")


def causal_where_declared(build: Build) -> None:
    """No value depends on later inputs where a field says it is causal, and one does where it does not."""
    field = build(3, 1, initial=0.5).double()
    x = random_input((2, 3, 9))
    sees = later_position_seen(lambda x: field(x).expand_as(x) + 0 * x, x) is not None
    require(
        sees != field.causal,
        f"causal is {field.causal}, but a value {'depends' if sees else 'never depends'} on later inputs",
    )


def gradient_to_every_parameter(build: Build) -> None:
    """Every parameter has a gradient that is not zero."""
    for field, grid in _on_grids(build):
        (field(random_input((2, 3, *grid))) * random_input((2, 3, *grid), seed=1)).sum().backward()
        for name, parameter in field.named_parameters():
            used = parameter.grad is not None and bool(parameter.grad.abs().max() > 0)
            require(used, f"the parameter {name} has no gradient")


def gradcheck(build: Build) -> None:
    """Its gradient is right, for the input and for every parameter."""
    for field, grid in _on_grids(build):
        parameters = dict(field.named_parameters())

        def apply(x: torch.Tensor, *values: torch.Tensor) -> torch.Tensor:
            given = dict(zip(parameters, values, strict=True))  # noqa: B023
            # The zero ties the result to the input also where the field ignores it.
            return torch.func.functional_call(field, given, (x,)) + 0 * x  # noqa: B023

        require_gradcheck(apply, random_input((1, 3, *grid)), *parameters.values())


def dtype_and_device(build: Build) -> None:
    """Dtype and device are those of the input."""
    for field, grid in _on_grids(build):
        require_keeps_dtype_and_device(
            lambda dtype: build(3, field.ndim, initial=0.5).to(dtype),  # noqa: B023
            (2, 3, *grid),
        )


def batch_independence(build: Build) -> None:
    """A sample's values do not depend on its batch."""
    for field, grid in _on_grids(build):
        require_batch_independent(field, (3, 3, *grid))


def any_layout(build: Build) -> None:
    """Non-contiguous inputs give what contiguous ones give."""
    for field, grid in _on_grids(build):
        x = random_input((2, *grid, 3)).movedim(-1, 1)
        require_close(field(x), field(x.contiguous()), "depends on the memory layout")


def grid_spacing_is_heard(build: Build) -> None:
    """Told that a grid is three times as fine, it gives a smooth input, sampled finely, the values that it had."""
    for ndim in (1, 2):
        field = build(3, ndim, initial=0.5).double()
        x = [(torch.arange(size, dtype=torch.float64) + 0.5) / size for size in (24, 72)]
        bumps = [(-((each - 0.5) ** 2) / 0.02).exp() for each in x]
        coarse, fine = (bump if ndim == 1 else bump[:, None] * bump for bump in bumps)
        before = field(coarse.expand(1, 3, *coarse.shape))
        field.set_grid_spacing(1 / 3)
        after = field(fine.expand(1, 3, *fine.shape)).expand(1, 3, *fine.shape)
        # The middle one of every three fine cells lies where a coarse one does.
        index = (..., *[slice(1, None, 3)] * ndim)
        after = after[index]
        difference = ((after - before).abs().amax() / before.abs().amax()).item()
        require(difference <= 0.02, f"its values differ by {difference:.3f} on a grid three times as fine")


def full_initialisation(build: Build) -> None:
    """``reset_parameters`` sets all parameters and persistent buffers."""
    for ndim in (1, 2):
        require_full_initialisation(lambda: build(3, ndim, initial=0.5))  # noqa: B023


def copies(build: Build) -> None:
    """Deepcopy and pickle keep it."""
    for field, grid in _on_grids(build):
        x = random_input((1, 3, *grid))
        require_copies(field, lambda clone: clone(x))  # noqa: B023


def _on_grids(build: Build) -> list[tuple[ParameterField, tuple[int, ...]]]:
    return [(build(3, len(grid), initial=0.5).double(), grid) for grid in grids((1, 2))]


CHECKS = [
    positive,
    starts_at_its_initial_value,
    broadcastable,
    declares_its_dependence,
    causal_where_declared,
    gradient_to_every_parameter,
    gradcheck,
    dtype_and_device,
    batch_independence,
    any_layout,
    grid_spacing_is_heard,
    full_initialisation,
    copies,
]
