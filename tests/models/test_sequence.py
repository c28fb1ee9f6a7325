import copy
import pickle

import pytest
import torch
from safetensors.torch import load_model, save_model
from timm.models import group_parameters
from timm.optim import create_optimizer_v2
from torch import nn

import wavezoo
from tests.mixers.small import small
from wavezoo.models.registry import names_of_kind
from wavezoo.models.sequence import SEQUENCE_POOLS
from wavezoo.plugins.registry import registry

NAMES = names_of_kind("sequence")
MIXERS = list(registry.schemes("mixers"))
# Every Laplacian that needs no graph, by its name; one knows a single length only.
LAPLACIANS = [name for name, scheme in registry.schemes("laplacians").items() if 1 in scheme.ndims and name != "graph"]
FIELDS = registry.schemes("fields")
EVERY_WAVE = [{"laplacian": name} for name in LAPLACIANS] + [{"speed": name, "preset": "stepped"} for name in FIELDS]

names = pytest.mark.parametrize("name", NAMES)


def create(name="wavepde_seq_tiny", **kwargs):
    torch.manual_seed(0)
    inputs = {} if "vocab_size" in kwargs else {"in_features": 3}
    return wavezoo.create_sequence_model(name, **{**inputs, "num_classes": 5, "depth": 2, "dim": 16, **kwargs})


def sequences(batch=2, length=12, seed=0):
    return torch.randn(batch, length, 3, generator=torch.Generator().manual_seed(seed))


@names
def test_numbers_and_tokens(name):
    assert create(name)(sequences()).shape == (2, 5)
    tokens = torch.randint(0, 7, (2, 12))
    model = create(name, vocab_size=7)
    assert model(tokens).shape == (2, 5)
    assert model.forward_features(tokens).shape == (2, 12, model.num_features)
    assert create(name, num_classes=0, global_pool="").eval()(sequences()).shape == (2, 12, 16)
    full = wavezoo.create_sequence_model(name, in_features=1, num_classes=10, device="meta")
    assert full(torch.empty(2, 1024, 1, device="meta")).shape == (2, 10)


@pytest.mark.parametrize("length", [1, 2, 7, 130, 300])
def test_any_length(length):
    assert create()(sequences(length=length)).shape == (2, 5)


@pytest.mark.parametrize("pool", SEQUENCE_POOLS)
@names
def test_head(name, pool):
    model, x = create(name, global_pool=pool).eval(), sequences()
    features = model.forward_features(x)
    torch.testing.assert_close(model.forward_head(features), model(x))
    assert model(x).shape == ((2, 5) if pool else (2, 12, 5))
    seen = model.forward_head(features, pre_logits=True)
    assert seen.shape[-1] == model.head_hidden_size == model.num_features
    normed = model.head.norm(features.mT).mT
    expected = {"mean": normed.mean(1), "first": normed[:, 0], "last": normed[:, -1], "": normed}
    torch.testing.assert_close(seen, expected[pool])


@names
def test_reset_classifier(name):
    model = create(name, dtype=torch.float64).eval()
    model.reset_classifier(7)
    assert model(sequences().double()).shape == (2, 7)
    assert model.get_classifier().out_features == model.num_classes == 7
    assert not model.get_classifier().training
    model.reset_classifier(3, "")
    assert model(sequences().double()).shape == (2, 12, 3)
    model.reset_classifier(0, "last")
    assert model(sequences().double()).shape == (2, model.num_features)


def padded(length=12, spans=((0, 12), (0, 5), (3, 9), (7, 12), (0, 5))):
    mask = torch.zeros(len(spans), length, dtype=torch.bool)
    for sample, (start, stop) in enumerate(spans):
        mask[sample, start:stop] = True
    return mask, spans


@pytest.mark.parametrize(
    "options",
    [*EVERY_WAVE, *({"mixer": name} for name in MIXERS), {"preset": "paper"}, {"norm": "batch"}, {"max_length": 12}],
)
@pytest.mark.parametrize("pool", SEQUENCE_POOLS)
def test_padding_changes_no_result(options, pool):
    if "mixer" in options:
        options = {"mixer": small(options["mixer"])}
    model = create(global_pool=pool, dtype=torch.float64, **options).eval()
    mask, spans = padded()
    x = sequences(len(spans)).double().masked_fill(~mask.unsqueeze(-1), torch.nan)
    together = model(x, mask)
    features = model.forward_features(x, mask)
    assert not features[~mask].any()
    for sample, (start, stop) in enumerate(spans):
        alone = model(x[sample : sample + 1, start:stop])[0]
        torch.testing.assert_close(together[sample, start:stop] if pool == "" else together[sample], alone)


def test_tokens_at_padding_may_be_anything():
    model = create(vocab_size=7).eval()
    mask, _ = padded()
    tokens = torch.randint(0, 7, mask.shape)
    assert torch.equal(model(tokens.masked_fill(~mask, -100), mask), model(tokens, mask))
    with pytest.raises(wavezoo.WavezooError, match="token ids reach from -100"):
        model(tokens.masked_fill(mask, -100), mask)


def test_gradients_flow_through_a_mask():
    model = create()
    mask, spans = padded()
    x = sequences(len(spans)).requires_grad_()
    model(x, mask).square().sum().backward()
    assert not x.grad[~mask].any()
    assert x.grad[mask].any(-1).all()
    assert all(each.grad is not None and each.grad.any() for each in model.parameters())


def test_batch_norm_is_not_trained_with_padding():
    model = create(norm="batch")
    mask, spans = padded()
    x = sequences(len(spans))
    with pytest.raises(wavezoo.WavezooError, match='Build the model with norm="layer"'):
        model(x, mask)
    assert model(x, torch.ones_like(mask)).shape == (len(spans), 5)


def test_a_mask_without_padding_is_no_mask():
    model, x = create().eval(), sequences()
    torch.testing.assert_close(model(x, torch.ones(2, 12, dtype=torch.bool)), model(x))


@pytest.mark.parametrize("mixer", MIXERS)
@names
def test_a_causal_model_never_looks_ahead(name, mixer):
    if registry.scheme("mixers", mixer).causality in ("never", "operator"):
        with pytest.raises(wavezoo.WavezooError, match="not causal"):
            create(name, mixer=mixer, causal=True)
        return
    model = create(name, mixer=small(mixer), causal=True, global_pool="", dtype=torch.float64).eval()
    x = sequences().double().requires_grad_()
    logits = model(x)
    for position in range(11):
        (gradient,) = torch.autograd.grad(logits[:, position].square().sum(), x, retain_graph=True)
        assert not gradient[:, position + 1 :].any()
        assert gradient[:, position].any()


def test_the_reason_for_refusing_to_be_causal_is_given():
    with pytest.raises(wavezoo.WavezooError, match="CosineLaplacian is not causal: every output position sees later"):
        create(causal=True)


@names
def test_optimisation(name):
    model = create(name, max_length=20)
    assert set(group_parameters(model, model.group_matcher(), reverse=True)) == {
        key for key, _ in model.named_parameters()
    }
    groups = group_parameters(model, model.group_matcher(), reverse=True)
    assert groups["stem.weight"] == groups["position.weight"] == 0 < groups["head.fc.weight"]
    create_optimizer_v2(model, opt="adamw", lr=1e-3, weight_decay=0.05, layer_decay=0.7)
    operators = [each for each in model.modules() if isinstance(each, wavezoo.WaveOperator)]
    assert len(model.no_weight_decay()) == sum(len(list(each.physical_parameters())) for each in operators) > 0
    gradients = []
    for enable in (False, True):
        model.zero_grad()
        model.set_grad_checkpointing(enable)
        model(sequences()).sum().backward()
        gradients.append([each.grad.clone() for each in model.parameters()])
    torch.testing.assert_close(*gradients)


@pytest.mark.parametrize("mixer", MIXERS)
def test_learns_which_token_came_first(mixer):
    model = create(vocab_size=4, num_classes=4, mixer=small(mixer))
    x = torch.randint(0, 4, (64, 6), generator=torch.Generator().manual_seed(0))
    optimizer = torch.optim.AdamW(model.parameters(), 0.01)
    for _ in range(150):
        loss = nn.functional.cross_entropy(model(x), x[:, 0])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if loss < 0.1:
            return
    pytest.fail(f"loss is still {loss:.2f}")


@names
def test_copies_and_checkpoints(name, tmp_path):
    model, x = create(name).eval(), sequences()
    save_model(model, tmp_path / "model.safetensors")
    other = create(name, device="meta").eval().to_empty(device="cpu")
    other.init_non_persistent_buffers()
    load_model(other, tmp_path / "model.safetensors")
    for clone in (copy.deepcopy(model), pickle.loads(pickle.dumps(model)), other):
        assert torch.equal(clone(x), model(x))
    with torch.no_grad():
        for each in model.parameters():
            each.fill_(torch.nan)
    model.init_weights()
    assert model(x).isfinite().all()


def test_a_graph_comes_back_from_the_meta_device(tmp_path):
    options = {"preset": "stepped", "laplacian": {"name": "graph", "edges": [[i, i + 1] for i in range(11)]}}
    model = create(**options).eval()
    other = create(device="meta", **options).eval().to_empty(device="cpu")
    other.load_state_dict(model.state_dict())
    other.init_non_persistent_buffers()
    assert torch.equal(other(sequences()), model(sequences()))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_autocast(dtype):
    model, x = create().eval(), sequences()
    with torch.autocast("cpu", dtype=dtype):
        lowered = model(x)
    assert (lowered.float() - model(x)).norm() <= 8 * torch.finfo(dtype).eps * model(x).norm()


def test_compiles_and_exports_for_any_batch():
    model, x = create(vocab_size=9).eval(), torch.randint(0, 9, (2, 12))
    torch.testing.assert_close(torch.compile(model, fullgraph=True, backend="aot_eager")(x), model(x))
    batch = torch.export.Dim("batch", min=2, max=64)
    exported = torch.export.export(model, (x,), dynamic_shapes=({0: batch},)).module()
    longer = torch.randint(0, 9, (5, 12))
    torch.testing.assert_close(exported(longer), model(longer))


def test_grid_spacing_reaches_the_operators():
    model = create(grid_spacing=0.5)
    steps = {each.steps for each in model.modules() if isinstance(each, wavezoo.WaveOperator)}
    assert steps == {2}


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"in_features": None}, "give in_features for sequences of numbers"),
        ({"vocab_size": 5, "in_features": 3}, "leave the other out"),
        ({"in_features": 0}, "in_features is 0"),
        ({"global_pool": "avg"}, "global_pool is 'avg'; allowed, nearest first: "),
        ({"depth": 0}, "depth is 0"),
        ({"max_length": -1}, "max_length is -1"),
        ({"laplacian": "anisotropic"}, "number of grid axes"),
        ({"preset": "papers"}, "paper"),
        ({"norm": "bach"}, "nearest first: batch"),
    ],
)
def test_bad_settings(kwargs, message):
    with pytest.raises(wavezoo.WavezooError, match=message):
        create(**kwargs)


def test_unknown_names():
    with pytest.raises(TypeError, match="unexpected keyword argument 'dept'"):
        create(dept=3)
    with pytest.raises(wavezoo.WavezooError, match="nearest first: wavepde_seq_tiny"):
        wavezoo.create_sequence_model("wavepde_seq_tny", in_features=1)


@pytest.mark.parametrize(
    ("kwargs", "x", "mask", "message"),
    [
        ({}, torch.zeros(2, 12, 4), None, r"shape \(2, 12, 4\) does not fit a model for numbers \(B, N, 3\)"),
        ({}, torch.zeros(2, 12), None, "does not fit"),
        ({}, torch.zeros(2, 12, 3, dtype=torch.long), None, "int64 does not fit"),
        ({}, torch.zeros(2, 0, 3), None, "no element"),
        ({"vocab_size": 7}, torch.zeros(2, 12), None, "float32 does not fit"),
        ({"vocab_size": 7}, torch.tensor([[0, 7]]), None, "token ids reach from 0 to 7; this model knows 0 to 6"),
        ({"vocab_size": 7}, torch.tensor([[-1, 3]]), None, "token ids reach from -1 to 3"),
        ({"max_length": 11}, torch.zeros(2, 12, 3), None, "12 elements are longer than max_length=11"),
        ({}, torch.zeros(2, 12, 3), torch.ones(2, 11, dtype=torch.bool), r"mask of shape \(2, 11\)"),
        ({}, torch.zeros(2, 12, 3), torch.ones(2, 12), "float32 does not fit"),
        ({}, torch.zeros(1, 3, 3), torch.tensor([[True, False, True]]), "sample 0 has a gap"),
        ({}, torch.zeros(1, 3, 3), torch.tensor([[False, False, False]]), "leaves sample 0 no element"),
    ],
)
def test_bad_input(kwargs, x, mask, message):
    with pytest.raises(wavezoo.WavezooError, match=message):
        create(**kwargs)(x, mask)
