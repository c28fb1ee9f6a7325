"""Registration and forward, point by point of the timm contract."""

import inspect
import pkgutil
import subprocess
import sys

import pytest
import timm
import torch
from safetensors.torch import save_model
from timm.data import resolve_model_data_config
from timm_models import CLASSES, CONTROLS, OURS, both, create, every_name, every_one_of_ours, images, train_step

import wavezoo

# Registration


@every_name
def test_entry_point(name):
    entry_point = timm.model_entrypoint(name)
    module = sys.modules[entry_point.__module__]
    assert entry_point.__name__ == name
    assert name in module.__all__
    parameters = list(inspect.signature(entry_point).parameters.values())
    assert parameters[0].name == "pretrained"
    assert parameters[0].default is False
    assert parameters[1].kind is inspect.Parameter.VAR_KEYWORD
    assert f"{name}" in {each.partition(".")[0] for each in module.default_cfgs}


@every_one_of_ours
def test_the_file_is_named_like_none_of_timms(name):
    timms = {each.name for each in pkgutil.iter_modules(timm.models.__path__)}
    assert timm.model_entrypoint(name).__module__.rpartition(".")[2] not in timms


@every_name
def test_default_configuration(name):
    config = create(name).pretrained_cfg
    for field in (
        "architecture",
        "input_size",
        "mean",
        "std",
        "crop_pct",
        "interpolation",
        "pool_size",
        "first_conv",
        "classifier",
        "license",
    ):
        assert config[field], field
    assert config["architecture"] == name
    model = create(name)
    modules = dict(model.named_modules())
    assert modules[config["first_conv"]].in_channels == 3
    assert modules[config["classifier"]].out_features == CLASSES
    size = config["input_size"]
    maps = create(name, device="meta").forward_features(torch.empty(1, *size, device="meta"))
    assert maps.shape[-2:] == config["pool_size"]
    assert resolve_model_data_config(model)["input_size"] == size


@every_name
def test_unknown_keywords_and_tags_are_refused(name):
    with pytest.raises(TypeError):
        create(name, drop_pth_rate=0.1)
    with pytest.raises(RuntimeError, match="nonsense"):
        timm.create_model(f"{name}.nonsense")


@every_one_of_ours
def test_pretrained_without_weights_says_so(name):
    with pytest.raises(RuntimeError, match=f"No pretrained weights exist for {name}"):
        create(name, pretrained=True)


@both
def test_pretrained_from_a_file_adapts_channels_and_classes(name, tmp_path):
    source = create(name, num_classes=1000).eval()
    file = str(tmp_path / "weights.safetensors")
    save_model(source, file)
    x = images()
    loaded = create(name, num_classes=1000, pretrained=True, pretrained_cfg_overlay={"file": file}).eval()
    torch.testing.assert_close(loaded(x), source(x))
    adapted = create(name, pretrained=True, in_chans=1, pretrained_cfg_overlay={"file": file}).eval()
    assert adapted(x[:, :1]).shape == (2, CLASSES)
    stem, first = adapted.pretrained_cfg["first_conv"], source.pretrained_cfg["first_conv"]
    torch.testing.assert_close(
        adapted.get_submodule(stem).weight.sum(1), source.get_submodule(first).weight.sum(1), rtol=1e-5, atol=1e-5
    )


@pytest.mark.parametrize("device", ["cpu", "meta"])
@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
@both
def test_device_and_dtype_reach_every_layer(name, dtype, device):
    model = create(name, device=device, dtype=dtype)
    for key, each in (*model.named_parameters(), *model.named_buffers()):
        assert each.device.type == device, key
        assert each.dtype == dtype or not each.is_floating_point(), key
    assert model(images(dtype=dtype).to(device)).shape == (2, CLASSES)


LARGE = [name for name in OURS if "_small" in name or "_base" in name]


@pytest.mark.parametrize(
    "name", [name if name not in LARGE else pytest.param(name, marks=pytest.mark.slow) for name in [*OURS, *CONTROLS]]
)
def test_full_size_on_the_meta_device(name):
    model = timm.create_model(name, drop_path_rate=0.1, device="meta")
    assert model(torch.empty(2, *model.pretrained_cfg["input_size"], device="meta")).shape == (2, 1000)


def test_importing_is_quiet_and_changes_no_global_state():
    code = """
import os, random, warnings
import numpy, torch, timm
def state():
    return (
        torch.get_default_dtype(), torch.get_num_threads(), torch.is_grad_enabled(), torch.random.get_rng_state().sum(),
        random.getstate(), str(numpy.random.get_state()), warnings.filters[:], dict(os.environ),
        torch.backends.cudnn.benchmark, torch.get_float32_matmul_precision(), set(timm.list_models()),
    )
before = state()
import wavezoo
after = state()
ours = after[-1] - before[-1]
assert before[:-1] == after[:-1], [a for a, b in zip(before, after) if a != b]
assert all(name.startswith("wavepde") for name in ours) and ours
"""
    ran = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "", "")


# Forward


@both
def test_head(name):
    model, x = create(name).eval(), images()
    features = model.forward_features(x)
    assert features.shape[1] == model.num_features
    torch.testing.assert_close(model.forward_head(features), model(x))
    assert model.forward_head(features, pre_logits=True).shape == (2, model.head_hidden_size)
    assert model.get_classifier().out_features == model.num_classes == CLASSES
    assert create(name, num_classes=0).eval()(x).shape == (2, model.num_features)
    assert create(name, num_classes=0, global_pool="").eval()(x).shape == features.shape


@both
def test_reset_classifier_keeps_device_dtype_mode_and_what_is_frozen(name):
    model = create(name, dtype=torch.float64, global_pool="max").eval()
    for parameter in model.parameters():
        parameter.requires_grad_(False)
    before = {key: each.clone() for key, each in model.state_dict().items()}
    model.reset_classifier(7)
    assert not any(module.training for module in model.modules())
    assert {each.dtype for each in model.parameters()} == {torch.float64}
    assert model(images(dtype=torch.float64)).shape == (2, 7)
    classifier = {id(each) for each in model.get_classifier().parameters()}
    assert not any(each.requires_grad for each in model.parameters() if id(each) not in classifier)
    assert all(each.requires_grad for each in model.get_classifier().parameters())
    for key, each in model.state_dict().items():
        assert key.startswith(model.pretrained_cfg["classifier"]) or torch.equal(each, before[key])
    pool = str(model.head.global_pool if hasattr(model, "head") else model.global_pool)
    assert "max" in pool
    meta = create(name, device="meta")
    meta.reset_classifier(3)
    assert all(each.is_meta for each in meta.parameters())
    model.reset_classifier(0, "avg")
    assert model(images(dtype=torch.float64)).shape == (2, model.num_features)


@pytest.mark.parametrize("pool", ["avg", "max", "avgmax", "catavgmax", "fast", "fastavg", "fastmax", "fastavgmax", ""])
@both
def test_every_pooling_works_or_is_refused(name, pool):
    if name == "resnet18" and pool == "":
        pytest.skip("timm's resnets without pooling take no classifier")
    try:
        model = create(name, global_pool=pool).eval()
    except (wavezoo.WavezooError, AssertionError):
        assert pool == "catavgmax"
        return
    shape = model(images()).shape
    assert shape[:2] == (2, CLASSES)
    assert len(shape) == (2 if pool else 4)
    model.reset_classifier(3, "avg")
    assert model(images()).shape == (2, 3)


@both
def test_a_sample_does_not_depend_on_its_batch(name):
    model = create(name, dtype=torch.float64).eval()
    x = images(3, 3, 64, 64, dtype=torch.float64)
    torch.testing.assert_close(model(torch.cat([x[:1], 50 * x[1:]]))[:1], model(x[:1]))


@both
def test_eval_is_deterministic_and_leaves_the_input_alone(name):
    model, x = create(name, drop_rate=0.5, drop_path_rate=0.5).eval(), images()
    kept = x.clone()
    assert torch.equal(model(x), model(x))
    assert torch.equal(x, kept)


@both
def test_memory_layout_of_the_input_does_not_matter(name):
    model, x = create(name).eval(), images()
    expected = model(x)
    strided = images(2, 3, 64, 128)[..., ::2]
    torch.testing.assert_close(model(strided), model(strided.contiguous()), rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(model(x.to(memory_format=torch.channels_last)), expected, rtol=1e-4, atol=1e-5)
    model = model.to(memory_format=torch.channels_last)
    torch.testing.assert_close(model(x.to(memory_format=torch.channels_last)), expected, rtol=1e-4, atol=1e-5)
    train_step(model, x.to(memory_format=torch.channels_last))
