"""The timm contract, point by point, over every model of ours, and over two of timm's own to show that it is timm's."""

import copy
import inspect
import itertools
import pickle
import pkgutil
import subprocess
import sys
import warnings

import pytest
import timm
import torch
from safetensors.torch import load_model, save_model
from timm.data import resolve_model_data_config
from timm.models import group_parameters, save_for_hf
from timm.optim import create_optimizer_v2
from timm.utils import ModelEmaV3
from torch import nn

import wavezoo

OURS = timm.list_models("wavepde*")
CONTROLS = ["convnext_atto", "resnet18"]
# The architecture of each of ours, with widths and depths cut so that the tests run in seconds.
SMALL = {"dims": (8, 12, 16, 20), "depths": (1, 1, 2, 1)}
# Two stages hold whatever a compiler meets in four.
TWO_STAGES = {"dims": (8, 12), "depths": (1, 1), "strides": (1, 2)}
CLASSES = 5


def create(name, num_classes=CLASSES, **kwargs):
    torch.manual_seed(0)
    return timm.create_model(name, num_classes=num_classes, **(SMALL if name in OURS else {}) | kwargs)


# Names that differ in widths and depths alone are one model once these are cut; what costs seconds runs on one of them.
UNLIKE = list({repr(create(name, device="meta")): name for name in OURS}.values())

every_name = pytest.mark.parametrize("name", [*OURS, *CONTROLS])
both = pytest.mark.parametrize("name", [*UNLIKE, *CONTROLS])
every_one_of_ours = pytest.mark.parametrize("name", OURS)
ours = pytest.mark.parametrize("name", UNLIKE)
# Compiling and exporting take many seconds a model: one in every run, the others among the slow tests.
compiled = pytest.mark.parametrize(
    "name", [UNLIKE[0], *(pytest.param(name, marks=pytest.mark.slow) for name in [*UNLIKE[1:], *CONTROLS])]
)


def images(*shape, seed=0, dtype=torch.float32):
    return torch.randn(*(shape or (2, 3, 64, 64)), generator=torch.Generator().manual_seed(seed)).to(dtype)


def train_step(model, x=None, optimizer=None):
    model.train()
    optimizer = optimizer or torch.optim.SGD(model.parameters(), 0.01)
    x = images() if x is None else x
    loss = nn.functional.cross_entropy(model(x).float(), torch.arange(len(x)) % CLASSES)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.detach()


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


@every_name
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


# Features


@pytest.mark.parametrize("out_indices", [None, (0,), (1, 3), (-1,), (-2, -1), (0, 2, 3)])
@both
def test_features_only(name, out_indices):
    chosen = {} if out_indices is None else {"out_indices": out_indices}
    model = create(name, num_classes=0, features_only=True, **chosen).eval()
    maps = model(images(2, 3, 128, 64))
    if out_indices is not None:
        assert len(maps) == len(out_indices)
    assert [each.shape[1] for each in maps] == model.feature_info.channels()
    for each, reduction in zip(maps, model.feature_info.reduction(), strict=True):
        assert each.shape[-2:] == (128 // reduction, 64 // reduction)


@both
def test_feature_info_names_the_modules_whose_output_the_maps_are(name):
    model = create(name).eval()
    seen = {}
    for info in model.feature_info:
        model.get_submodule(info["module"]).register_forward_hook(
            lambda module, inputs, output, info=info: seen.update({info["module"]: output})
        )
    model(images())
    for info in model.feature_info:
        assert seen[info["module"]].shape[1] == info["num_chs"]
        assert seen[info["module"]].shape[-1] == 64 // info["reduction"]


@pytest.mark.parametrize("feature_cls", ["hook", "fx", "getter"])
@both
def test_feature_extractors_agree(name, feature_cls):
    x = images()
    expected = create(name, num_classes=0, features_only=True, out_indices=(1, 2, 3)).eval()
    model = create(name, num_classes=0, features_only=True, out_indices=(1, 2, 3), feature_cls=feature_cls).eval()
    for ours_, theirs in zip(model(x), expected(x), strict=True):
        torch.testing.assert_close(ours_, theirs)


@both
def test_forward_intermediates(name):
    model, x = create(name).eval(), images()
    final, maps = model.forward_intermediates(x)
    torch.testing.assert_close(final, model.forward_features(x))
    count = len(maps)
    for norm in (False, True):
        for stop_early in (False, True):
            options = {"norm": norm, "stop_early": stop_early}
            only = model.forward_intermediates(x, intermediates_only=True, **options)
            assert len(only) == count
            last_two = model.forward_intermediates(x, indices=2, intermediates_only=True, **options)
            torch.testing.assert_close(last_two, only[-2:])
            first, (second,) = model.forward_intermediates(x, indices=[1], **options)
            torch.testing.assert_close(second, only[1])
            assert torch.equal(first, second) == stop_early
    with pytest.raises((AssertionError, wavezoo.WavezooError)):
        model.forward_intermediates(x, output_fmt="NLC")
    with pytest.raises((AssertionError, wavezoo.WavezooError)):
        model.forward_intermediates(x, indices=[count])


@both
def test_prune_intermediate_layers(name):
    for indices in (1, [0, 1], [2]):
        model, x = create(name).eval(), images()
        expected = model.forward_intermediates(x, indices=indices, intermediates_only=True)
        parameters = sum(each.numel() for each in model.parameters())
        kept = model.prune_intermediate_layers(indices)
        assert sum(each.numel() for each in model.parameters()) < parameters
        torch.testing.assert_close(model.forward_intermediates(x, indices=kept, intermediates_only=True), expected)
        features = model.forward_features(x)
        assert features.shape[1] == model.num_features
        model.train()
        model.forward_features(x).square().sum().backward()
        assert not [key for key, each in model.named_parameters() if each.grad is None]
        model.eval().reset_classifier(3, "avg")
        assert model(x).shape == (2, 3)


@both
def test_checkpointing_changes_no_gradient(name):
    gradients = []
    for enable in (False, True):
        model = create(name)
        model.set_grad_checkpointing(enable)
        model(images()).sum().backward()
        gradients.append([parameter.grad for parameter in model.parameters()])
    torch.testing.assert_close(*gradients)


# Sizes


@both
def test_sizes_may_change_from_call_to_call(name):
    model = create(name).eval()
    shapes = [(2, 3, 64, 64), (1, 3, 48, 96), (2, 3, 65, 33), (3, 3, 64, 64)]
    first = model(images())
    for shape in shapes:
        assert model(images(*shape)).shape == (shape[0], CLASSES)
    torch.testing.assert_close(model(images()), first)


@ours
def test_the_state_depends_on_no_size_and_img_size_is_accepted(name):
    states = [create(name, **kwargs).state_dict() for kwargs in ({}, {"img_size": 64}, {"img_size": (32, 96)})]
    for state in states[1:]:
        assert {key: each.shape for key, each in state.items()} == {key: each.shape for key, each in states[0].items()}
    model = create(name, img_size=(32, 96))
    assert resolve_model_data_config(model)["input_size"] == (3, 32, 96)
    before = model.state_dict().keys()
    model(images())
    assert model.state_dict().keys() == before


@ours
def test_meta_to_empty_load_gives_the_same_model(name):
    source = create(name).eval()
    model = create(name, device="meta").eval().to_empty(device="cpu")
    model.load_state_dict(source.state_dict())
    model.init_non_persistent_buffers()
    assert torch.equal(model(images()), source(images()))


@ours
def test_init_weights_is_a_full_initialisation(name):
    model = create(name)
    fresh = {key: each.clone() for key, each in model.state_dict().items()}
    torch.manual_seed(1)
    model.init_weights()
    anew = {key: each.clone() for key, each in model.state_dict().items()}
    with torch.no_grad():
        for each in model.state_dict().values():
            each.fill_(float("nan"))
    model.init_weights()
    for key, each in model.state_dict().items():
        assert each.isfinite().all(), key
        if torch.equal(anew[key], fresh[key]):
            assert torch.equal(each, fresh[key]), key
        else:
            # Random values: other ones, of a like size.
            assert not torch.equal(each, fresh[key]), key
            assert 0.2 < each.abs().amax() / fresh[key].abs().amax() < 5, key
    assert model.eval()(images()).isfinite().all()


# Optimisation


@every_name
def test_parameter_groups_run_from_stem_to_head(name):
    model = create(name)
    for coarse in (False, True):
        groups = group_parameters(model, model.group_matcher(coarse=coarse), reverse=True)
        assert set(groups) == {key for key, _ in model.named_parameters()}
        assert groups[f"{model.pretrained_cfg['first_conv']}.weight"] == 0
        assert groups[f"{model.pretrained_cfg['classifier']}.weight"] == max(groups.values())
        stages = [
            [group for key, group in groups.items() if key.startswith(f"{info['module']}.")]
            for info in model.feature_info[-4:]
        ]
        for earlier, later in itertools.pairwise(stages):
            assert max(earlier) <= min(later)


@every_name
def test_layer_decay(name):
    model = create(name)
    optimizer = create_optimizer_v2(model, opt="adamw", lr=1.0, weight_decay=0.1, layer_decay=0.5)
    scale = {id(p): group["lr_scale"] for group in optimizer.param_groups for p in group["params"]}
    assert len(scale) == len(list(model.parameters()))
    stem = model.get_submodule(model.pretrained_cfg["first_conv"]).weight
    assert scale[id(stem)] < scale[id(model.get_classifier().weight)] == 1


@every_one_of_ours
def test_physical_parameters_have_no_weight_decay(name):
    model = create(name)
    physical = model.no_weight_decay()
    operators = [each for each in model.modules() if isinstance(each, wavezoo.WaveOperator)]
    assert len(physical) == sum(len(list(each.physical_parameters())) for each in operators) > 0
    optimizer = create_optimizer_v2(model, opt="adamw", lr=1e-3, weight_decay=0.1)
    decayed = {id(p) for group in optimizer.param_groups if group["weight_decay"] for p in group["params"]}
    assert not any(id(parameter) in decayed for key, parameter in model.named_parameters() if key in physical)
    assert id(model.get_classifier().weight) in decayed


@both
def test_every_parameter_gets_a_gradient(name):
    model = create(name)
    # A convnext's layer scales start near zero, a resnet's last norms at zero: dead only until they have moved.
    for key, parameter in model.named_parameters():
        if key.endswith(("gamma", "bn2.weight")):
            nn.init.ones_(parameter)
    model(images(4, 3, 64, 64)).square().sum().backward()
    dead = [key for key, each in model.named_parameters() if each.grad is None or not each.grad.any()]
    assert not dead


@pytest.mark.parametrize("opt", ["adamw", "lamb", "lion", "muon", "adopt"])
@both
def test_timms_optimisers_step(name, opt):
    model = create(name)
    optimizer = create_optimizer_v2(model, opt=opt, lr=1e-3, weight_decay=0.05)
    before = {key: each.clone() for key, each in model.named_parameters()}
    unmoved = set(before)
    # Adopt's first step moves nothing; convnext's layer scales and resnet's last norms keep others still for a while.
    for _ in range(4):
        train_step(model, optimizer=optimizer)
        unmoved -= {key for key, each in model.named_parameters() if not torch.equal(each, before[key])}
    assert all(each.isfinite().all() for each in model.parameters())
    assert not unmoved


@both
def test_learns_eight_images_by_heart(name):
    options = {"dims": (16,) * 4} if name in OURS else {}
    size = 16 if "_iso_" in name else 32
    model = create(name, **options)
    x, y = images(8, 3, size, size), torch.arange(8) % CLASSES
    optimizer = torch.optim.AdamW(model.parameters(), 4e-3)
    for _ in range(100):
        loss = nn.functional.cross_entropy(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if loss < 0.1:
            return
    pytest.fail(f"loss is still {loss:.2f}")


# Torch notes that a depthwise kernel's gradient may lie otherwise in memory, also of timm's models.
@pytest.mark.filterwarnings("ignore:Grad strides do not match")
@both
def test_distributed_training_needs_no_search_for_unused_parameters(name, tmp_path):
    torch.distributed.init_process_group("gloo", init_method=f"file://{tmp_path}/store", rank=0, world_size=1)
    try:
        model = nn.parallel.DistributedDataParallel(create(name))
        # A parameter without a gradient in the first step is an error in the second.
        for _ in range(2):
            assert train_step(model).isfinite()
    finally:
        torch.distributed.destroy_process_group()


# Keeping


@both
def test_hub_round_trip(name, tmp_path):
    source = create(name, num_classes=CLASSES).eval()
    arguments = {"num_classes": CLASSES} | (SMALL if name in OURS else {})
    save_for_hf(source, tmp_path, model_args=arguments, safe_serialization=True)
    loaded = timm.create_model(f"local-dir:{tmp_path}", pretrained=True).eval()
    assert torch.equal(loaded(images()), source(images()))


@both
def test_safetensors_round_trip(name, tmp_path):
    source = create(name).eval()
    save_model(source, tmp_path / "model.safetensors")
    torch.manual_seed(1)
    model = create(name).eval()
    load_model(model, tmp_path / "model.safetensors")
    assert torch.equal(model(images()), source(images()))


@both
def test_copies_also_after_a_training_step(name):
    model = create(name)
    for step in (None, train_step):
        if step:
            step(model)
        model.eval()
        for clone in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
            assert torch.equal(clone(images()), model(images()))


@both
def test_exponential_moving_average(name):
    model = create(name)
    average = ModelEmaV3(model, decay=0.5)
    train_step(model)
    average.update(model)
    assert average.module.eval()(images()).isfinite().all()
    assert set(average.module.state_dict()) == set(model.state_dict())


@both
def test_no_complex_tensors_are_kept(name):
    assert not [key for key, each in create(name).state_dict().items() if each.is_complex()]


@both
def test_the_seed_decides_the_weights(name):
    first, second = create(name).state_dict(), create(name).state_dict()
    assert all(torch.equal(first[key], second[key]) for key in first)


# Precision


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@both
def test_autocast(name, dtype):
    model, x = create(name).eval(), images()
    with torch.autocast("cpu", dtype=dtype):
        lowered = model(x)
    assert lowered.isfinite().all()
    # Rounding adds up over some dozens of layers.
    assert (lowered.float() - model(x)).norm() <= 8 * torch.finfo(dtype).eps * model(x).norm()
    optimizer = torch.optim.SGD(model.parameters(), 1e-3)
    with torch.autocast("cpu", dtype=dtype):
        assert train_step(model, optimizer=optimizer).isfinite()
    assert all(each.isfinite().all() for each in model.parameters())


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float64])
@both
def test_runs_in_other_dtypes(name, dtype):
    model = create(name, dtype=dtype)
    assert model(images(dtype=dtype)).dtype == dtype
    assert train_step(model, images(dtype=dtype)).isfinite()


@ours
def test_the_gradient_is_right(name):
    model = create(name, dtype=torch.float64).eval()
    x = images(1, 3, 32, 32, dtype=torch.float64).requires_grad_()
    direction = images(1, 3, 32, 32, seed=1, dtype=torch.float64)
    weight = images(1, CLASSES, seed=2, dtype=torch.float64)
    (slope,) = torch.autograd.grad((model(x) * weight).sum(), x)
    with torch.no_grad():
        step = 1e-5
        ends = [(model(x + sign * step * direction) * weight).sum() for sign in (1, -1)]
    torch.testing.assert_close((slope * direction).sum(), (ends[0] - ends[1]) / (2 * step), rtol=1e-6, atol=1e-8)


# Leaving


@pytest.mark.parametrize("backend", ["aot_eager", pytest.param("inductor", marks=pytest.mark.slow)])
@compiled
def test_compiles_to_one_graph(name, backend):
    torch._dynamo.reset()
    model, x = create(name, **(TWO_STAGES if name in OURS else {})).eval(), images()
    compiled = torch.compile(model, fullgraph=True, backend=backend)
    torch.testing.assert_close(compiled(x), model(x), rtol=1e-4, atol=1e-5)
    train_step(compiled)


@pytest.mark.slow
@both
def test_no_recompilation_storm_over_sizes(name):
    torch._dynamo.reset()
    graphs = []

    def count(graph, inputs):
        graphs.append(graph)
        return graph.forward

    compiled = torch.compile(create(name).eval(), backend=count, fullgraph=True)
    for batch, height, width in ((2, 64, 64), (3, 96, 64), (2, 64, 128), (4, 160, 96), (2, 70, 90), (5, 99, 131)):
        compiled(images(batch, 3, height, width))
    assert len(graphs) <= 3


@compiled
def test_exports(name):
    model, x = create(name, **(TWO_STAGES if name in OURS else {})).eval(), images()
    exported = torch.export.export(model, (x,)).module()
    torch.testing.assert_close(exported(x), model(x), rtol=1e-4, atol=1e-5)
    batch = torch.export.Dim("batch", min=2, max=64)
    exported = torch.export.export(model, (x,), dynamic_shapes=({0: batch},)).module()
    torch.testing.assert_close(exported(images(5, 3, 64, 64)), model(images(5, 3, 64, 64)), rtol=1e-4, atol=1e-5)


@both
def test_traces(name):
    model, x = create(name).eval(), images()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        traced = torch.jit.trace(model, x)
    torch.testing.assert_close(traced(x), model(x), rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(traced(images(5, 3, 64, 64)), model(images(5, 3, 64, 64)), rtol=1e-4, atol=1e-5)
