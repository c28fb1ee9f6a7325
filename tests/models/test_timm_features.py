"""Features and sizes, point by point of the timm contract."""

import pytest
import torch
from timm.data import resolve_model_data_config
from timm_models import CLASSES, both, create, images, ours

import wavezoo

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
