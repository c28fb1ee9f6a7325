"""Training and keeping, point by point of the timm contract."""

import copy
import itertools
import pickle

import pytest
import timm
import torch
from safetensors.torch import load_model, save_model
from timm.models import group_parameters, save_for_hf
from timm.optim import create_optimizer_v2
from timm.utils import ModelEmaV3
from timm_models import CLASSES, OURS, SMALL, both, create, every_name, every_one_of_ours, images, train_step
from torch import nn

import wavezoo

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
