"""What is kept of a medium is what a new one would be, however its parameters came to change."""

import copy
import pickle
import weakref
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from timm.utils import ModelEmaV3
from torch import nn

import wavezoo
from wavezoo.config.presets import PRESETS

GRIDS = {1: (12,), 2: (6, 5)}
READOUTS = ("displacement", "velocity", "projected", "trajectory")


def operator_of(preset="closed_form", ndim=1, **choices):
    torch.manual_seed(0)
    return wavezoo.create_operator(3, ndim, preset=preset, **choices).eval()


def input_of(operator, batch=2, dtype=torch.float32):
    return torch.randn(batch, 3, *GRIDS[operator.ndim], dtype=dtype, generator=torch.Generator().manual_seed(1))


def larger_than_compared():
    torch.manual_seed(0)
    channels = 2**16 + 1
    return wavezoo.create_operator(channels, 1, preset="closed_form").eval(), torch.randn(1, channels, 2)


def fresh(operator, x):
    """Return the output of an operator that cannot have kept anything: gradients are on."""
    with torch.enable_grad():
        return operator(x).detach()


@torch.no_grad()
def require_current(operator, x):
    """Call twice, so that the second one is served from what the first kept."""
    expected = fresh(operator, x)
    for _ in range(2):
        assert torch.equal(operator(x), expected)


@torch.no_grad()
def shift(operator):
    for each in operator.parameters():
        each.add_(0.1)


def load(operator, assign):
    other = copy.deepcopy(operator)
    shift(other)
    operator.load_state_dict(other.state_dict(), assign=assign)


def optimize(operator):
    optimizer = torch.optim.SGD(operator.parameters(), lr=0.1)
    with torch.enable_grad():
        operator(input_of(operator)).square().sum().backward()
    optimizer.step()


def write_through_data(operator):
    for each in operator.parameters():
        each.data += 0.1


def write_through_detached(operator):
    for each in operator.parameters():
        each.detach().numpy()[...] *= 1.5


def replace_parameters(operator):
    for module in operator.modules():
        for name, each in list(module.named_parameters(recurse=False)):
            setattr(module, name, nn.Parameter(each.detach() * 1.5))


def replace_speed(operator):
    operator.speed = wavezoo.create_operator(3, operator.ndim, preset="stepped").speed


STALE = {
    "in place": shift,
    "through .data": write_through_data,
    "through NumPy": write_through_detached,
    "an optimizer": optimize,
    "load_state_dict": lambda operator: load(operator, False),
    "load_state_dict, assigned": lambda operator: load(operator, True),
    "other parameters": replace_parameters,
    "another field, of the input": replace_speed,
    "a finer grid": lambda operator: operator.set_grid_spacing(0.5),
    "more steps": lambda operator: setattr(operator, "steps", 7),
    "train": lambda operator: operator.train(),
    "other options": lambda operator: setattr(operator.speed, "maximum", 2.0),
    "half precision and back": lambda operator: operator.half().float(),
    "as products": lambda operator: operator.laplacian.as_products(),
    "drawn anew": lambda operator: nn.init.ones_(operator.speed.weight),
}


@pytest.mark.parametrize("change", STALE)
@pytest.mark.parametrize("ndim", [1, 2])
def test_a_change_is_noticed(change, ndim):
    operator = operator_of(ndim=ndim)
    x = input_of(operator)
    require_current(operator, x)
    STALE[change](operator)
    require_current(operator, x)


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("readout", READOUTS)
@pytest.mark.parametrize("start", ["zero", "projected", "transported"])
def test_what_is_kept_gives_the_same_output(preset, readout, start):
    try:
        operator = operator_of(preset, readout=readout, initial_velocity=start)
    except wavezoo.WavezooError as error:
        pytest.skip(str(error))
    require_current(operator, input_of(operator))
    require_current(operator, input_of(operator, batch=5))
    shift(operator)
    require_current(operator, input_of(operator))


@torch.no_grad()
def test_the_medium_is_made_once():
    operator, calls = operator_of(), []
    field = operator.speed.link
    operator.speed.link = lambda raw: calls.append(raw) or field(raw)
    for _ in range(3):
        operator(input_of(operator))
    assert len(calls) == 1


@torch.no_grad()
def test_who_listens_to_a_field_hears_every_call():
    operator, heard = operator_of(), []
    operator(input_of(operator))
    operator.speed.register_forward_hook(lambda module, args, output: heard.append(output))
    for _ in range(2):
        operator(input_of(operator))
    assert len(heard) == 2


@pytest.mark.parametrize("change", [change for change in STALE if "through" not in change])
def test_a_change_of_what_is_not_compared_is_noticed(change):
    # On other devices than a CPU, nothing is.
    operator, x = larger_than_compared()
    require_current(operator, x)
    if change == "another field, of the input":
        operator.speed = copy.deepcopy(operator.speed)
        shift(operator.speed)
    elif change == "an optimizer":
        operator.speed.weight.grad = torch.ones_like(operator.speed.weight)
        torch.optim.SGD(operator.parameters(), lr=0.1).step()
    else:
        STALE[change](operator)
    require_current(operator, x)


@torch.no_grad()
def test_train_and_eval_forget_what_leaves_no_trace():
    operator, x = larger_than_compared()
    operator(x)
    write_through_data(operator)
    operator.train()
    operator.eval()
    require_current(operator, x)


@torch.no_grad()
def test_the_input_is_not_kept():
    operator = operator_of()
    x = input_of(operator)
    seen = weakref.ref(x)
    operator(x)
    del x
    assert seen() is None


def test_threads_see_their_own_grids():
    operator = operator_of()
    inputs = [input_of(operator)[..., :size] for size in (12, 9, 5, 3)] * 4
    expected = [fresh(operator, x) for x in inputs]

    def call(x):
        with torch.no_grad():
            return [operator(x) for _ in range(20)]

    with ThreadPoolExecutor(4) as pool:
        for found, each in zip(pool.map(call, inputs), expected, strict=True):
            assert all(torch.equal(one, each) for one in found)


@torch.no_grad()
@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16, torch.float16])
def test_dtypes_and_grids_take_turns(dtype):
    operator = operator_of()
    x = input_of(operator)
    for each in (x, x[..., :7], x, x.repeat(1, 1, 2)):
        require_current(operator, each)
    operator.to(dtype)
    require_current(operator, x.to(dtype))


@torch.no_grad()
def test_a_moving_average_is_followed():
    model = operator_of()
    average = ModelEmaV3(model, decay=0.5)
    swa = torch.optim.swa_utils.AveragedModel(model)
    x = input_of(model)
    for _ in range(3):
        require_current(average.module, x)
        assert torch.equal(swa(x), fresh(swa.module, x))
        shift(model)
        average.update(model)
        swa.update_parameters(model)


@torch.no_grad()
def test_parameters_that_are_lent_for_a_call_are_used_for_it_alone():
    operator = operator_of()
    x = input_of(operator)
    own = operator(x)
    lent = {name: each * 1.5 for name, each in operator.named_parameters()}
    other = copy.deepcopy(operator)
    other.load_state_dict(lent)
    assert torch.equal(torch.func.functional_call(operator, lent, (x,)), fresh(other, x))
    assert torch.equal(operator(x), own)


def test_gradients_are_those_of_a_fresh_medium():
    operator = operator_of()
    x = input_of(operator)
    with torch.inference_mode():
        operator(x)
    with torch.no_grad():
        operator(x)
    operator(x).sum().backward()
    assert operator.speed.weight.grad is not None
    require_current(operator, x)


def test_modes_of_inference_take_turns():
    operator = operator_of(readout="trajectory")
    x = input_of(operator)
    expected = fresh(operator, x)
    for mode in (torch.inference_mode, torch.no_grad, torch.inference_mode):
        with mode():
            assert torch.equal(operator(x), expected)


@torch.no_grad()
def test_transforms_see_the_operations_themselves():
    operator = operator_of()
    x = input_of(operator)
    operator(x)
    weights = torch.stack([operator.speed.weight, operator.speed.weight * 1.5])
    each = torch.func.vmap(lambda weight: torch.func.functional_call(operator, {"speed.weight": weight}, (x,)))(weights)
    assert torch.allclose(each[0], operator(x), atol=1e-6)
    assert not torch.allclose(each[1], each[0], atol=1e-3)


@torch.no_grad()
def test_nothing_is_kept_in_copies_and_checkpoints():
    operator = operator_of()
    state, size = set(operator.state_dict()), len(pickle.dumps(operator))
    operator(input_of(operator))
    assert set(operator.state_dict()) == state
    assert len(pickle.dumps(operator)) == size
    other = copy.deepcopy(operator)
    shift(other)
    require_current(other, input_of(other))
    require_current(operator, input_of(operator))
    require_current(pickle.loads(pickle.dumps(operator)), input_of(operator))


@torch.no_grad()
def test_programs_hold_parameters_not_what_was_kept():
    operator = operator_of()
    x = input_of(operator)
    operator(x)
    program = torch.export.export(operator, (x,)).module()
    compiled = torch.compile(operator, backend="eager")
    compiled(x)
    shift(operator)
    assert torch.allclose(compiled(x), operator(x), atol=1e-6)
    program.load_state_dict(operator.state_dict(), strict=False)
    assert torch.allclose(program(x), operator(x), atol=1e-6)
