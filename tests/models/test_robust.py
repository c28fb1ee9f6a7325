"""What models do with input, keywords and transforms that are not the usual ones."""

import numpy as np
import pytest
import timm
import torch
from torch import nn
from torch._subclasses import FakeTensorMode

import wavezoo
from tests.mixers.small import small
from wavezoo.models.registry import create_model
from wavezoo.plugins.registry import registry

MODELS = registry.models()
# One name of each class of models, made small.
SMALL = {
    "image": ("wavepde_iso_tiny", {"dims": (8, 8), "depths": (1, 1), "strides": (1, 1), "num_classes": 3}),
    "dense": ("wavepde_dense_tiny", {"dim": 8, "depth": 1, "num_classes": 3}),
    "sequence": ("wavepde_seq_tiny", {"dim": 8, "depth": 1, "num_classes": 3, "in_features": 3}),
    "token": ("wavepde_seq_tiny", {"dim": 8, "depth": 1, "num_classes": 3, "vocab_size": 4}),
}
every_kind = pytest.mark.parametrize("kind", SMALL)


def create(kind, **kwargs):
    torch.manual_seed(0)
    name, settings = SMALL[kind]
    return create_model(name, **{**settings, **kwargs})


def example(kind, batch=2):
    generator = torch.Generator().manual_seed(0)
    if kind == "token":
        return torch.randint(0, 4, (batch, 9), generator=generator)
    return torch.randn(batch, *((9, 3) if kind == "sequence" else (3, 8, 10)), generator=generator)


@every_kind
def test_per_sample_gradients_are_those_of_one_by_one(kind):
    model, x = create(kind).double().eval(), example(kind, 3)
    x = x if kind == "token" else x.double()
    parameters = dict(model.named_parameters())

    def loss(parameters, sample):
        return torch.func.functional_call(model, parameters, (sample[None],)).square().sum()

    together = torch.func.vmap(torch.func.grad(loss), (None, 0))(parameters, x)
    for sample in range(len(x)):
        alone = torch.func.grad(loss)(parameters, x[sample])
        for name in parameters:
            torch.testing.assert_close(together[name][sample], alone[name])


@pytest.mark.parametrize("preset", ["stepped", "closed_form", "paper"])
@pytest.mark.parametrize("ndim", [1, 2])
def test_per_sample_gradients_of_operators(preset, ndim):
    torch.manual_seed(0)
    operator = wavezoo.create_operator(2, ndim, preset).double()
    x = torch.randn(3, 2, *[6] * ndim, dtype=torch.float64)
    parameters = dict(operator.named_parameters())

    def loss(parameters, sample):
        return torch.func.functional_call(operator, parameters, (sample[None],)).square().sum()

    together = torch.func.vmap(torch.func.grad(loss), (None, 0))(parameters, x)
    for sample in range(3):
        for name, alone in torch.func.grad(loss)(parameters, x[sample]).items():
            torch.testing.assert_close(together[name][sample], alone)


@pytest.mark.parametrize("training", [False, True])
@every_kind
def test_a_forward_pass_reads_no_value_back(kind, training):
    # A fake tensor has no values: whoever asks for one is found out.
    with FakeTensorMode():
        model = create(kind).train(training)
        x = torch.empty(2, 9, dtype=torch.long) if kind == "token" else torch.empty_like(example(kind))
        assert model(x).shape[0] == 2
    model = create(kind, device="meta").train(training)
    assert model(example(kind).to("meta")).is_meta


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int8, torch.int16, torch.int32])
def test_token_ids_of_any_whole_dtype_are_the_same(dtype):
    model, x = create("token").eval(), example("token")
    assert torch.equal(model(x.to(dtype)), model(x))


@pytest.mark.parametrize("dtype", [torch.bool, torch.float32, torch.complex64])
def test_what_is_no_token_id_is_told(dtype):
    with pytest.raises(wavezoo.WavezooError, match=f"input of {dtype} does not fit a model for token ids"):
        create("token")(example("token").to(dtype))


def test_batch_norm_is_not_causal():
    with pytest.raises(wavezoo.WavezooError, match='norm="batch" is not causal'):
        create("sequence", causal=True, mixer="depthwise", norm="batch")


@pytest.mark.parametrize("norm", ["layer", "batch"])
@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("mixer", registry.schemes("mixers"))
def test_who_is_built_causal_is_causal_in_training_too(mixer, training, norm):
    try:
        model = create("sequence", causal=True, mixer=small(mixer), norm=norm, global_pool="").double().train(training)
    except wavezoo.WavezooError:
        return
    x = example("sequence").double().requires_grad_()
    logits = model(x)
    for position in range(x.shape[1] - 1):
        (gradient,) = torch.autograd.grad(logits[:, position].square().sum(), x, retain_graph=True)
        assert not gradient[:, position + 1 :].any()


@every_kind
def test_numpy_numbers_are_numbers(kind):
    name, settings = SMALL[kind]
    as_numpy = {
        key: np.array(value) if isinstance(value, tuple) else np.int64(value) for key, value in settings.items()
    }
    x = example(kind)
    assert create_model(name, **as_numpy)(x).shape == create(kind)(x).shape
    if kind == "image":
        assert create(kind, img_size=np.int64(64)).pretrained_cfg["input_size"] == (3, 64, 64)


WRONG = {
    "num_classes": [-1, 2.5, "ten", True, torch.zeros(3)],
    "in_chans": [0, -3, 1.5, "rgb"],
    "in_features": [0, -3, 1.5, "one"],
    "vocab_size": [0, -3, 1.5, "one"],
    "img_size": [0, -1, "large", (8, 8, 8), (8,), 4.5],
    "depth": [0, 1.5, "two"],
    "depths": [(), 3, (0, 1), (1.5, 1)],
    "dims": [(), 8, (8, "8"), (8, -8)],
    "device": ["banana", "cuda:99", 3.5],
    "dtype": ["float32", torch.int64, torch.complex64, 3],
    "drop_rate": [1.0, -0.1, "much"],
    "drop_path_rate": [2, "much"],
    "mlp_ratio": [0, -1, "wide", float("nan")],
    "matching": ["size", 3],
    "norm": ["group", 3],
    "preset": ["papers", 3],
    "output_stride": [0, "16"],
    "patch_size": [0, 1.5],
    "grid_spacing": [0, -1, float("inf")],
    "steps": [0, 1.5, "four"],
    "mixer": [3, "waves"],
}


@pytest.mark.parametrize("option", WRONG)
@every_kind
def test_a_wrong_keyword_is_one_message(kind, option):
    model = create(kind)
    if option in ("in_features", "vocab_size") and option not in SMALL[kind][1]:
        pytest.skip("the other kind of input")
    for value in WRONG[option]:
        with pytest.raises((wavezoo.WavezooError, TypeError)) as caught:
            create(kind, **{option: value})
        assert "unexpected keyword argument" in str(caught.value) or isinstance(caught.value, wavezoo.WavezooError)
        assert len(str(caught.value)) < 400
    assert model is not None


@pytest.mark.parametrize("preset", ["closed_form", "stepped"])
@pytest.mark.parametrize("stride", [8, 16, 32])
def test_output_stride_bounds_the_reduction_and_keeps_what_is_seen(stride, preset):
    settings = {"dims": (8, 8, 8, 8), "depths": (1, 1, 1, 1), "preset": preset}
    torch.manual_seed(0)
    model = timm.create_model("wavepde_pico", features_only=True, output_stride=stride, **settings).eval()
    maps = model(torch.randn(1, 3, 64, 64))
    reductions = [min(4 * 2**stage, stride) for stage in range(4)]
    assert model.feature_info.reduction() == reductions
    assert [each.shape[-1] for each in maps] == [64 // each for each in reductions]
    torch.manual_seed(0)
    full = timm.create_model("wavepde_pico", features_only=True, **settings).eval()
    full.load_state_dict(model.state_dict())
    # The maps that are not reduced hold, at every s-th place, about what the reduced ones do.
    centres = torch.linspace(-1, 1, 64)
    smooth = (3 * centres[:, None] + 2 * centres).sin().expand(1, 3, 64, 64)
    for ours, reduced, reduction in zip(model(smooth), full(smooth), (4, 8, 16, 32), strict=True):
        every = reduction // (64 // ours.shape[-1])
        difference = (ours[..., ::every, ::every] - reduced).norm() / reduced.norm()
        assert difference < (1e-5 if every == 1 else 0.5)


def test_physical_parameters_are_declared_by_whoever_owns_them():
    class Filter(nn.Module):
        def __init__(self):
            super().__init__()
            self.decay = nn.Parameter(torch.zeros(3))

        def physical_parameters(self):
            yield self.decay

    model = create("image")
    before = model.no_weight_decay()
    model.stages[0].blocks[0].add_module("own", Filter())
    assert model.no_weight_decay() == before | {"stages.0.blocks.0.own.decay"}
