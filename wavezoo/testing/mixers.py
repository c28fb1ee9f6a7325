"""What every mixer must do. ``build`` is called as ``build(channels, ndim, causal=...)``."""

import functools
from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor

from wavezoo.errors import WavezooError
from wavezoo.mixers.base import Mixer
from wavezoo.mixers.recurrent import RecurrentMixer
from wavezoo.testing import recurrent
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
from wavezoo.testing.building import Build, built, ndims_of
from wavezoo.testing.causality import later_position_seen

CAUSALITIES = ("always", "optional", "never", "operator")


def keeps_the_shape(build: Build) -> None:
    """The output has the input's shape, on grids of one cell too."""
    for grid in (*grids(ndims_of(build)), *(grid for grid in ((1,), (1, 1), (1, 6)) if len(grid) in ndims_of(build))):
        mixer = built(build, len(grid)).double()
        shape = mixer(random_input((2, 4, *grid))).shape
        require(shape == (2, 4, *grid), f"an input on {grid} gives an output of shape {tuple(shape)}")


def causal_where_declared(build: Build) -> None:
    """Asked to be causal, it is or refuses, as declared: no output depends on later inputs."""
    for causal in (False, True):
        try:
            mixer = built(build, 1, causal=causal).double()
        except WavezooError:
            require(causal, "cannot be built though it need not be causal")
            causality = built(build, 1).causality
            require(causality in ("never", "operator"), f"refuses to be causal, though its causality is {causality!r}")
            continue
        require(mixer.causality in CAUSALITIES, f"causality is {mixer.causality!r}, none of {CAUSALITIES}")
        require(mixer.causality != "never" or not causal, "is built causal, though its causality is 'never'")
        require(mixer.causality != "always" or mixer.causal, "causal is False, though its causality is 'always'")
        require(mixer.causal or not causal, "says that it is not causal, though it was asked to be")
        sees = later_position_seen(mixer, random_input((2, 4, 9))) is not None
        require(not (sees and mixer.causal), "an output depends on later inputs, though the mixer says it is causal")


def order_is_for_sequences(build: Build) -> None:
    """Asked to be causal on an image, it refuses."""
    try:
        built(build, 2, causal=True)
    except WavezooError:
        return
    require(False, "is built causal on two axes")


def gradient_to_every_parameter(build: Build) -> None:
    """Every parameter has a gradient."""
    for mixer, grid in _on_grids(build):
        x = random_input((2, 4, *grid)).requires_grad_()
        (mixer(x) * random_input((2, 4, *grid), seed=1)).sum().backward()
        for name, parameter in mixer.named_parameters():
            require(parameter.grad is not None, f"the parameter {name} has no gradient")


def gradcheck(build: Build) -> None:
    """Its gradient is right, for the input and for every parameter."""
    for ndim, grid in ((1, (5,)), (2, (3, 4))):
        if ndim not in ndims_of(build):
            continue
        mixer = built(build, ndim).double()
        parameters = dict(mixer.named_parameters())

        def apply(x: Tensor, *values: Tensor) -> Tensor:
            given = dict(zip(parameters, values, strict=True))  # noqa: B023
            return torch.func.functional_call(mixer, given, (x,))  # noqa: B023

        # torch's own attention has no forward mode.
        require_gradcheck(apply, random_input((1, 4, *grid)), *parameters.values(), forward_mode=False)


def dtype_and_device(build: Build) -> None:
    """Dtype and device are those of the input."""
    for grid in grids(ndims_of(build)):
        require_keeps_dtype_and_device(lambda dtype: built(build, len(grid)).to(dtype), (2, 4, *grid))  # noqa: B023


def batch_independence(build: Build) -> None:
    """A sample's output does not depend on its batch."""
    for mixer, grid in _on_grids(build):
        require_batch_independent(mixer, (3, 4, *grid))


def any_layout(build: Build) -> None:
    """Non-contiguous inputs give what contiguous ones give."""
    for mixer, grid in _on_grids(build):
        x = random_input((2, *grid, 4)).movedim(-1, 1)
        require_close(mixer(x), mixer(x.contiguous()), "depends on the memory layout")


def full_initialisation(build: Build) -> None:
    """Its modules' ``reset_parameters`` set all parameters and persistent buffers."""
    for ndim in ndims_of(build):
        require_full_initialisation(functools.partial(built, build, ndim))


def copies(build: Build) -> None:
    """Deepcopy and pickle keep it."""
    for mixer, grid in _on_grids(build):
        x = random_input((1, 4, *grid))
        require_copies(mixer, lambda clone: clone(x))  # noqa: B023


def _on_grids(build: Build) -> list[tuple[Mixer, tuple[int, ...]]]:
    return [(built(build, len(grid)).double(), grid) for grid in grids(ndims_of(build))]


CHECKS = [
    keeps_the_shape,
    causal_where_declared,
    order_is_for_sequences,
    gradient_to_every_parameter,
    gradcheck,
    dtype_and_device,
    batch_independence,
    any_layout,
    full_initialisation,
    copies,
]

# What subclasses of the contract must do besides.
FURTHER: Mapping[type, Sequence[Callable[..., None]]] = {RecurrentMixer: recurrent.CHECKS}
