"""What a mixer that goes on from a state must do. ``build`` is called as ``build(channels, ndim, causal=True)``."""

import contextlib
import itertools
import math
from collections.abc import Iterator

import torch
from torch import Tensor, nn

from wavezoo.errors import WavezooError
from wavezoo.mixers.recurrent import RecurrentMixer, State
from wavezoo.testing.assertions import random_input, require, require_close, slow
from wavezoo.testing.building import Build, built

# The largest relative difference of two ways to run over a sequence.
TOLERANCES = {torch.float64: 1e-10, torch.float32: 1e-4}
# On either side of the lengths at which sequences are cut.
LENGTHS = (1, 2, 63, 64, 65)
LONG, VERY_LONG = 1000, 16_384
SPLIT_LENGTH = 130
# By how much a physical parameter is moved to leave nothing of damping, or of anything else.
FAR = 12.0


def steps_agree_with_the_whole(build: Build) -> None:
    """Run step by step, it gives what it gives at once, in double and in single precision."""
    for length in LENGTHS:
        _steps_agree(build, length)


@slow
def steps_agree_over_a_long_sequence(build: Build) -> None:
    """The same over 1,000 positions, unless it refuses as many."""
    with contextlib.suppress(WavezooError):
        _steps_agree(build, LONG)


def goes_on_from_a_state(build: Build) -> None:
    """Cut anywhere, it gives what it gives whole, and so do its gradients."""
    mixer = _causal(build).double()
    x = random_input((2, 4, SPLIT_LENGTH)).requires_grad_()
    weights = random_input(x.shape, seed=1)
    expected = mixer(x)
    gradient = _gradient(expected * weights, x)
    for cuts in ((1,), (2,), (63,), (64,), (65,), (SPLIT_LENGTH - 1,), (1, 2, 66)):
        y = _in_pieces(mixer, x, cuts)[0]
        _require_same(y, expected, f"cut at {cuts}, it differs from the whole")
        _require_same(
            _gradient(y * weights, x), gradient, f"cut at {cuts}, its gradient differs from that of the whole"
        )


def steps_go_on_from_a_prefix(build: Build) -> None:
    """A prefix at once, then position by position, gives what the whole gives."""
    mixer = _causal(build).double()
    x = random_input((2, 4, SPLIT_LENGTH))
    start = SPLIT_LENGTH - 5
    y, state = mixer(x[..., :start], mixer.initial_state(2))
    pieces = [y, _stepped(mixer, x[..., start:], state)]
    _require_same(torch.cat(pieces, -1), mixer(x), "steps after a prefix differ from the whole")


def later_inputs_have_no_gradient(build: Build) -> None:
    """The gradient of an output to later inputs is zero exactly."""
    mixer = _causal(build).double()
    x = random_input((2, 4, SPLIT_LENGTH)).requires_grad_()
    y = mixer(x)
    for position in (0, 1, 63, 64, 100):
        later = _gradient(y[..., position], x)[..., position + 1 :]
        require(not later.any(), f"the output at position {position} has a gradient to later inputs")


def nan_stays_behind(build: Build) -> None:
    """A last input that is NaN leaves all earlier outputs finite."""
    mixer = _causal(build)
    for length in (2, 64, SPLIT_LENGTH):
        x = random_input((2, 4, length), torch.float32)
        x[..., -1] = math.nan
        with torch.no_grad():
            outputs = {"at once": mixer(x), "from a state": mixer(x, mixer.initial_state(2))[0]}
        for how, y in outputs.items():
            require(y[..., :-1].isfinite().all(), f"run {how}, a NaN in the last input reaches earlier outputs")
            require(y[..., -1].isnan().any(), f"run {how}, a NaN in the last input does not show in the last output")


@torch.no_grad()
def a_suffix_moves_nothing(build: Build) -> None:
    """Other inputs at the end leave the outputs before them as they are, to the last digit."""
    mixer = _causal(build)
    x = random_input((2, 4, SPLIT_LENGTH), torch.float32)
    for start in (1, 63, 64, 65, SPLIT_LENGTH - 1):
        other = torch.cat([x[..., :start], 100 * random_input((2, 4, SPLIT_LENGTH - start), torch.float32, 1)], -1)
        same = torch.equal(mixer(x)[..., :start], mixer(other)[..., :start])
        require(same, f"other inputs from position {start} on move earlier outputs")


@torch.no_grad()
def state_has_its_declared_size(build: Build) -> None:
    """The state grows with the positions if it is declared to, and only then."""
    mixer = _causal(build)
    sizes = [_size(mixer.initial_state(2))]
    for length in (1, 3, 70):
        sizes.append(_size(mixer(random_input((2, 4, length), torch.float32), mixer.initial_state(2))[1]))
    grows = any(before < after for before, after in itertools.pairwise(sizes))
    held = f"states before and after 1, 3 and 70 positions hold {sizes} numbers"
    require(grows or not mixer.state_grows, f"{held}, though the state is declared to grow")
    require(len(set(sizes)) == 1 or mixer.state_grows, f"{held}, though the state is not declared to grow")


@torch.no_grad()
def states_are_each_samples_own(build: Build) -> None:
    """What a sample gives from its state does not depend on the samples beside it."""
    mixer = _causal(build).double()
    x = random_input((3, 4, 20))
    _, state = mixer(x[..., :9], mixer.initial_state(3))
    together, after = mixer(x[..., 9:], state)
    for sample in range(3):
        alone, own = mixer(x[sample : sample + 1, :, 9:], tuple(each[sample : sample + 1] for each in state))
        _require_same(together[sample : sample + 1], alone, "a sample's output depends on its batch")
        for one, other in zip(after, own, strict=True):
            _require_same(one[sample : sample + 1], other, "a sample's state depends on its batch")


@torch.no_grad()
def training_changes_nothing(build: Build) -> None:
    """In training mode and in evaluation mode it gives the same, and its steps do."""
    mixer = _causal(build).double()
    x = random_input((2, 4, 12))
    expected = mixer.eval()(x)
    mixer.train()
    _require_same(mixer(x), expected, "in training mode it differs from evaluation mode")
    _require_same(_stepped(mixer, x, mixer.initial_state(2)), expected, "in training mode its steps differ")


@slow
@torch.no_grad()
def very_long_sequences_do_not_blow_up(build: Build) -> None:
    """What is heard of one strike does not grow over 16,384 positions, whatever the physical parameters.

    It may refuse as many.
    """
    x = torch.zeros(1, 4, VERY_LONG)
    x[..., 0] = random_input((1, 4), torch.float32)
    for mixer, which in _moved(build):
        try:
            y = mixer(x)
        except WavezooError:
            return
        require(y.isfinite().all(), f"one strike gives outputs that are not finite, {which}")
        early, late = y[..., : VERY_LONG * 3 // 4].abs().max(), y[..., VERY_LONG * 3 // 4 :].abs().max()
        require(late <= 2 * early, f"what is heard of one strike grows from {early:.3g} to {late:.3g}, {which}")


def refuses_a_state_where_it_sees_the_future(build: Build) -> None:
    """Not causal, it has no state to start from."""
    mixer = built(build, 1)
    if mixer.causal:
        return
    try:
        mixer.initial_state(1)  # type: ignore[operator]
    except WavezooError:
        return
    require(False, "has an initial state, though it is not causal")


def _causal(build: Build) -> RecurrentMixer:
    mixer = built(build, 1, causal=True)
    assert isinstance(mixer, RecurrentMixer)
    return mixer


def _moved(build: Build) -> Iterator[tuple[RecurrentMixer, str]]:
    """Yield the mixer as it starts, and with each physical parameter far to either side."""
    mixer = _causal(build)
    yield mixer, "as it starts"
    names = {id(parameter): name for name, parameter in mixer.named_parameters()}
    declared = (getattr(module, "physical_parameters", None) for module in mixer.modules())
    physical: dict[int, nn.Parameter] = {id(each): each for of in declared if callable(of) for each in of()}
    for parameter, change in itertools.product(physical.values(), (-FAR, FAR)):
        before = parameter.clone()
        parameter.add_(change)
        yield mixer, f"with {names[id(parameter)]} moved by {change:+g}"
        parameter.copy_(before)


@torch.no_grad()
def _steps_agree(build: Build, length: int) -> None:
    for dtype, tolerance in TOLERANCES.items():
        mixer = _causal(build).to(dtype)
        x = random_input((2, 4, length), dtype)
        expected = mixer(x)
        for how, y in (
            ("steps", _stepped(mixer, x, mixer.initial_state(2))),
            ("run from the initial state, it", mixer(x, mixer.initial_state(2))[0]),
        ):
            message = f"over {length} positions in {dtype}, {how} differs from the whole"
            require_close(y, expected, message, tolerance / torch.finfo(dtype).eps)


def _stepped(mixer: RecurrentMixer, x: Tensor, state: State) -> Tensor:
    outputs = []
    for each in x.unbind(-1):
        y, state = mixer.step(each, state)
        outputs.append(y)
    return torch.stack(outputs, -1)


def _in_pieces(mixer: RecurrentMixer, x: Tensor, cuts: tuple[int, ...]) -> tuple[Tensor, State]:
    state, outputs = mixer.initial_state(len(x)), []
    for start, end in itertools.pairwise((0, *cuts, x.shape[-1])):
        y, state = mixer(x[..., start:end], state)
        outputs.append(y)
    return torch.cat(outputs, -1), state


def _gradient(y: Tensor, x: Tensor) -> Tensor:
    return torch.autograd.grad(y.sum(), x, retain_graph=True)[0]


def _require_same(actual: Tensor, expected: Tensor, message: str) -> None:
    require_close(actual, expected, message, TOLERANCES[torch.float64] / torch.finfo(torch.float64).eps)


def _size(state: State) -> int:
    return sum(each.numel() for each in state)


CHECKS = [
    steps_agree_with_the_whole,
    steps_agree_over_a_long_sequence,
    goes_on_from_a_state,
    steps_go_on_from_a_prefix,
    later_inputs_have_no_gradient,
    nan_stays_behind,
    a_suffix_moves_nothing,
    state_has_its_declared_size,
    states_are_each_samples_own,
    training_changes_nothing,
    very_long_sequences_do_not_blow_up,
    refuses_a_state_where_it_sees_the_future,
]
