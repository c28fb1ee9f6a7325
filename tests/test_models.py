import copy
import pickle

import pytest
import timm
import torch

import wavezoo
from wavezoo.build import PRESETS

MODELS = timm.list_models("wavepde*")
# Small enough to run: the architecture of each name with its widths and depths cut.
SMALL = {"dims": (8, 12, 16, 20), "depths": (1, 1, 2, 1)}


def create(name, **kwargs):
    torch.manual_seed(0)
    return timm.create_model(name, num_classes=5, **{**SMALL, **kwargs})


def images(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def test_the_family_is_registered():
    sizes = ("tiny", "small", "base", "iso_tiny", "iso_small")
    assert set(MODELS) == {f"wavepde_{size}{suffix}" for size in sizes for suffix in ("", "_paper")}


@pytest.mark.parametrize("name", MODELS)
def test_full_size_on_the_meta_device(name):
    model = timm.create_model(name, num_classes=10, drop_path_rate=0.1, device="meta")
    assert all(parameter.is_meta for parameter in model.parameters())
    size = model.pretrained_cfg["input_size"]
    assert model(torch.empty(2, *size, device="meta")).shape == (2, 10)


@pytest.mark.parametrize("name", MODELS)
def test_classifies_images_of_any_size_and_channels(name):
    model = create(name, in_chans=2, drop_path_rate=0.1).eval()
    for size in ((32, 32), (33, 47), (64, 40)):
        assert model(images(2, 2, *size)).shape == (2, 5)


@pytest.mark.parametrize("name", MODELS)
def test_features_only(name):
    model = create(name, features_only=True)
    maps = model(images(2, 3, 64, 64))
    assert [each.shape[1] for each in maps] == model.feature_info.channels()
    assert [64 // each.shape[-1] for each in maps] == model.feature_info.reduction()


@pytest.mark.parametrize("name", MODELS)
def test_head(name):
    model = create(name).eval()
    x = images(2, 3, 64, 64)
    features = model.forward_features(x)
    assert features.shape[1] == model.num_features
    assert torch.equal(model.forward_head(features), model(x))
    assert model.forward_head(features, pre_logits=True).shape == (2, model.head_hidden_size)
    model.reset_classifier(7)
    assert model(x).shape == (2, 7)
    assert model.get_classifier().out_features == 7
    model.reset_classifier(0, "max")
    assert model(x).shape == (2, model.num_features)
    assert create(name, global_pool="").eval()(x).shape == (2, 5, *features.shape[-2:])


@pytest.mark.parametrize("name", MODELS)
def test_every_parameter_gets_a_gradient(name):
    model = create(name)
    model(images(2, 3, 64, 64)).square().sum().backward()
    missing = [key for key, parameter in model.named_parameters() if parameter.grad is None or not parameter.grad.any()]
    assert not missing


@pytest.mark.parametrize("name", MODELS)
def test_checkpointing_changes_no_gradient(name):
    x = images(2, 3, 64, 64)
    gradients = []
    for enable in (False, True):
        model = create(name)
        model.set_grad_checkpointing(enable)
        model(x).sum().backward()
        gradients.append([parameter.grad for parameter in model.parameters()])
    torch.testing.assert_close(*gradients)


@pytest.mark.parametrize("name", MODELS)
def test_a_sample_does_not_depend_on_its_batch(name):
    model = create(name).eval().double()
    x = images(3, 3, 64, 64).double()
    torch.testing.assert_close(model(torch.cat([x[:1], 50 * x[1:]]))[:1], model(x[:1]))


@pytest.mark.parametrize("name", MODELS)
def test_groups_and_weight_decay(name):
    from timm.models import group_parameters

    model = create(name)
    groups = group_parameters(model, model.group_matcher(), reverse=True)
    assert set(groups) == {key for key, _ in model.named_parameters()}
    physical = model.no_weight_decay()
    assert any(key.endswith("log_dt") for key in physical)
    assert physical < set(groups)
    optimizer = timm.optim.create_optimizer_v2(model, opt="adamw", lr=1e-3, weight_decay=0.1)
    decayed = {id(p) for group in optimizer.param_groups if group["weight_decay"] for p in group["params"]}
    assert not any(id(parameter) in decayed for key, parameter in model.named_parameters() if key in physical)


@pytest.mark.parametrize("name", MODELS)
def test_copies(name):
    model = create(name).eval()
    x = images(2, 3, 64, 64)
    for clone in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        assert torch.equal(clone(x), model(x))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float64])
def test_dtype_reaches_every_layer(dtype):
    model = create("wavepde_tiny", dtype=dtype)
    assert {parameter.dtype for parameter in model.parameters()} == {dtype}
    assert model(images(2, 3, 64, 64).to(dtype)).dtype == dtype


def test_any_axis_is_swapped_by_keyword():
    model = create(
        "wavepde_tiny",
        integrator="symplectic_euler",
        laplacian={"name": "finite_difference", "order": 4},
        speed="constant",
        damping_field={"name": "constant", "initial": 0.2},
        damping="linear",
        steps=3,
    )
    operator = model.stages[0].blocks[0].mixer.wave
    assert type(operator.integrator).__name__ == "SymplecticEuler"
    assert operator.laplacian.order == 4
    assert type(operator.speed).__name__ == type(operator.damping_field).__name__ == "ConstantField"
    assert type(operator.damping).__name__ == "LinearDamping"
    assert operator.steps == 3


@pytest.mark.parametrize("name", [name for name in MODELS if name.endswith("_paper")])
def test_the_paper_models_are_the_published_layer_and_block(name):
    block = create(name).stages[0].blocks[0]
    operator = block.mixer
    assert isinstance(operator, wavezoo.WaveOperator)
    published = wavezoo.create_operator(operator.channels, 2, "paper")
    assert repr(operator) == repr(published)
    assert PRESETS["paper"]["courant_guard"] == operator.courant_guard == "off"


@pytest.mark.parametrize("name", ["wavepde_iso_tiny", "wavepde_iso_tiny_paper"])
def test_learns_eight_images_by_heart(name):
    model = create(name, depths=(1, 1, 1, 1), dims=(16,) * 4)
    x, y = images(8, 3, 16, 16), torch.arange(8) % 5
    optimizer = torch.optim.AdamW(model.parameters(), 5e-3)
    for _ in range(60):
        loss = torch.nn.functional.cross_entropy(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss < 0.1


@pytest.mark.parametrize("gradient", ["recompute", "reverse"])
def test_the_gradient_mode_reaches_every_operator(gradient):
    stored = timm.create_model("wavepde_iso_tiny", num_classes=3)
    model = timm.create_model("wavepde_iso_tiny", num_classes=3, gradient=gradient)
    model.load_state_dict(stored.state_dict())
    operators = [module for module in model.modules() if isinstance(module, wavezoo.WaveOperator)]
    assert {operator.gradient for operator in operators} == {gradient}
    images = torch.randn(2, 3, 32, 32)
    for each in (stored, model):
        each(images).square().sum().backward()
    for expected, actual in zip(stored.parameters(), model.parameters(), strict=True):
        torch.testing.assert_close(actual.grad, expected.grad, rtol=1e-3, atol=1e-4)


def test_img_size_reaches_the_data_configuration():
    model = create("wavepde_iso_tiny", img_size=48, in_chans=1)
    assert timm.data.resolve_model_data_config(model)["input_size"] == (1, 48, 48)
    assert create("wavepde_iso_tiny", img_size=(24, 40)).pretrained_cfg["input_size"] == (3, 24, 40)


@pytest.mark.parametrize(
    ("kwargs", "error", "message"),
    [
        ({"integratr": "pefrl"}, TypeError, "integratr"),
        ({"integrator": "verlet"}, wavezoo.WavezooError, "velocity_verlet"),
        ({"preset": "papers"}, wavezoo.WavezooError, "paper"),
        ({"img_size": 16}, wavezoo.WavezooError, "too small"),
        ({"global_pool": "average"}, wavezoo.WavezooError, "global_pool"),
        ({"depths": (1, 1)}, wavezoo.WavezooError, "differ in length"),
        ({"dims": (8, 8, 8, 0)}, wavezoo.WavezooError, "dims"),
        ({"drop_path_rate": 1.5}, wavezoo.WavezooError, "drop_path_rate"),
        ({"mlp_ratio": 0}, wavezoo.WavezooError, "mlp_ratio"),
    ],
)
def test_bad_keywords(kwargs, error, message):
    with pytest.raises(error, match=message):
        create("wavepde_tiny", **kwargs)


def test_images_too_small_for_the_stages():
    with pytest.raises(wavezoo.WavezooError, match="too small"):
        create("wavepde_tiny")(images(1, 3, 31, 40))
