import math

import pytest
import timm
import timm.data
import timm.optim
import torch

import wavezoo
from tests.mixers.small import small
from wavezoo.config.presets import PRESETS
from wavezoo.nn.norm import NORMS
from wavezoo.plugins.registry import registry
from wavezoo.wave.convolution import GridConv

MODELS = timm.list_models("wavepde*")
# Small enough to run: the architecture of each name with its widths and depths cut.
SMALL = {"dims": (8, 12, 16, 20), "depths": (1, 1, 2, 1)}


def create(name, **kwargs):
    torch.manual_seed(0)
    return timm.create_model(name, **{"num_classes": 5, **SMALL, **kwargs})


def images(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def test_the_family_is_registered():
    sizes = ("pico", "nano", "tiny", "small", "base", "iso_tiny", "iso_small")
    assert set(MODELS) == {f"wavepde_{size}{suffix}" for size in sizes for suffix in ("", "_paper")}


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
    operator = model.stages[0].blocks[0].mixer.mixer.operator
    assert type(operator.integrator).__name__ == "SymplecticEuler"
    assert operator.laplacian.order == 4
    assert type(operator.speed).__name__ == type(operator.damping_field).__name__ == "ConstantField"
    assert type(operator.damping).__name__ == "LinearDamping"
    assert operator.steps == 3


@pytest.mark.parametrize("name", [name for name in MODELS if name.endswith("_paper")])
def test_the_paper_models_are_the_published_layer_and_block(name):
    block = create(name).stages[0].blocks[0]
    operator = block.mixer.operator
    assert isinstance(operator, wavezoo.WaveOperator)
    published = wavezoo.create_operator(operator.channels, 2, "paper")
    assert repr(operator) == repr(published)
    assert PRESETS["paper"].choices["courant_guard"] == operator.courant_guard == "off"


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
        ({"norm": "bach"}, wavezoo.WavezooError, "nearest first: batch"),
    ],
)
def test_bad_keywords(kwargs, error, message):
    with pytest.raises(error, match=message):
        create("wavepde_tiny", **kwargs)


@pytest.mark.parametrize("ndim", [1, 2])
@pytest.mark.parametrize("norm", NORMS)
def test_only_batch_norm_in_training_lets_a_sample_depend_on_others(norm, ndim):
    torch.manual_seed(0)
    if ndim == 2:
        model, x = create("wavepde_tiny", norm=norm), images(4, 3, 64, 64)
    else:
        model, x = (
            wavezoo.create_sequence_model("wavepde_seq_tiny", in_features=3, num_classes=5, norm=norm),
            images(4, 12, 3),
        )
    assert any(isinstance(each, torch.nn.LayerNorm) for each in model.modules()) == (norm == "layer")
    model, x = model.double(), x.double()
    for training in (True, False):
        model.train(training)
        with torch.no_grad():
            pairs, together = torch.cat([model(x[:2]), model(x[2:])]), model(x)
        assert torch.allclose(pairs, together) == (norm == "layer" or not training)


def test_images_too_small_for_the_stages():
    with pytest.raises(wavezoo.WavezooError, match="too small"):
        create("wavepde_tiny")(images(1, 3, 31, 40))


MIXERS = list(registry.schemes("mixers"))


@pytest.mark.parametrize("mixer", MIXERS)
@pytest.mark.parametrize("name", ["wavepde_tiny", "wavepde_tiny_paper"])
def test_models_with_any_mixer_have_equal_parameters_and_run(name, mixer):
    # A model wide enough that a unit of the MLPs is little.
    kwargs = {"dims": (32, 32, 64, 64)}
    if registry.scheme("mixers", mixer).ndims == (1,):
        with pytest.raises(wavezoo.WavezooError, match="number of grid axes"):
            create(name, mixer=mixer)
        return
    expected, model = create(name, **kwargs), create(name, mixer=small(mixer), **kwargs)
    counts = [sum(each.numel() for each in one.parameters()) for one in (expected, model)]
    assert counts[1] == pytest.approx(counts[0], rel=0.01)
    assert model(images(2, 3, 32, 48)).shape == (2, 5)


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"mixer": "atention"}, "nearest first: attention"),
        ({"mixer": "attention", "steps": 3}, "steps is an option of a wave operator"),
        ({"mixer": {"name": "attention", "heads": 3}}, "does not divide 8 channels; give one of 1, 2, 4, 8"),
        ({"mixer": {"name": "attention", "head": 3}}, "heads"),
        ({"mixer": {"name": "wave", "operator": 3}}, "give it to the model"),
        ({"mixer": {"name": "global_filter", "resolution": 40}}, "parameters more than the wave operator"),
        ({"mixer": "attention", "causal": True}, "an image has no order of time"),
        ({"causal": True}, "is not causal"),
        ({"grid_spacing": 0.0}, "grid spacing is 0.0"),
    ],
)
def test_bad_mixers(kwargs, message):
    with pytest.raises(wavezoo.WavezooError, match=message):
        create("wavepde_tiny", **kwargs)


def smooth(size, waves=6):
    """Return the same smooth images, ``(8, 3, size, size)``, on any grid."""
    centres = (torch.arange(size, dtype=torch.float64) + 0.5) / size
    phases = 7 * images(8, 3, waves, 1, 1).double()
    k = 2 * math.pi * torch.arange(1, waves + 1, dtype=torch.float64).view(waves, 1, 1)
    return ((k * centres[:, None] + phases).cos() * (k * centres - 2 * phases).cos()).sum(2)


@pytest.mark.parametrize("factor", [2, 1.5])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"preset": "stepped"},
        {"preset": "stepped", "speed": "depthwise", "laplacian": "cosine"},
        {"mixer": "depthwise"},
    ],
)
def test_a_finer_grid_with_its_spacing_gives_what_the_former_gave(options, factor):
    model = create("wavepde_iso_tiny", depths=(1, 1, 1, 1), dims=(12,) * 4, num_classes=0, **options).double().eval()

    def differences(size):
        features = model(smooth(size))
        return features - features.mean(0)

    expected = differences(32)
    ignored = (differences(int(32 * factor)) - expected).norm() / expected.norm()
    model.set_grid_spacing(1 / factor)
    kept = (differences(int(32 * factor)) - expected).norm() / expected.norm()
    assert kept < 0.6 * ignored
    model.set_grid_spacing(1)
    assert torch.equal(differences(32), expected)


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("ndim", [1, 2])
def test_taps_keep_their_distance_on_a_finer_grid(ndim, causal):
    if causal and ndim == 2:
        pytest.skip("an image has no order of time")
    layer = GridConv(3, 4, ndim, 5, causal=causal).double()
    finer = images(2, 3, *[18] * ndim).double()
    every_second = (..., *[slice(None, None, 2)] * ndim)
    coarse = layer(finer[every_second])
    layer.set_grid_spacing(0.5)
    torch.testing.assert_close(layer(finer)[every_second], coarse)
    layer.set_grid_spacing(2)
    assert layer(finer).shape == (2, 4, *[18] * ndim)


def test_grid_spacing_is_a_keyword_too():
    model = create("wavepde_iso_tiny").eval()
    model.set_grid_spacing(0.5)
    x = images(1, 3, 32, 32)
    assert torch.equal(create("wavepde_iso_tiny", grid_spacing=0.5).eval()(x), model(x))
