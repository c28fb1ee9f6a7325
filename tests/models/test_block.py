import pytest
import torch
from torch import nn

import wavezoo
from wavezoo.config.spec import mixer_spec
from wavezoo.models.block import SLOTS, Block, wave_block
from wavezoo.models.matching import RULES
from wavezoo.models.registry import check_model_options, create_model, find_model, model_options, names_of_kind
from wavezoo.plugins.registry import registry


class Times(nn.Module):
    def __init__(self, factor):
        super().__init__()
        self.factor = factor

    def forward(self, x):
        return self.factor * x


def block(**extra):
    return Block(Times(3), Times(5), nn.Identity(), nn.Identity(), extra=extra)


@pytest.mark.parametrize("slot", SLOTS)
def test_a_layer_in_a_slot_stands_where_its_name_says(slot):
    def expected(**factor):
        x = factor.get("first", 1.0)
        mixed = 3 * factor.get("before_mixer", 1) + factor.get("beside_mixer", 0)
        x = x + x * mixed * factor.get("after_mixer", 1)
        mapped = 5 * factor.get("before_mlp", 1) + factor.get("beside_mlp", 0)
        return x + x * mapped * factor.get("after_mlp", 1)

    x = torch.ones(1, 2, 3)
    assert torch.equal(block()(x), expected() * x)
    assert torch.equal(block(**{slot: Times(7)})(x), expected(**{slot: 7}) * x)


def test_an_unknown_slot_is_told():
    with pytest.raises(wavezoo.WavezooError, match="nearest first: before_mixer"):
        block(before_mixr=nn.Identity())


@pytest.mark.parametrize("mixer", registry.schemes("mixers"))
@pytest.mark.parametrize("preset", ["closed_form", "paper"])
def test_the_form_of_a_block_follows_its_mixer(mixer, preset):
    spec = mixer_spec(mixer, preset)
    alone = isinstance(wave_block(32, 1, spec, mlp_ratio=4.0, matching="width").mixer, wavezoo.Mixer)
    assert alone == (preset == "paper" and spec.operator is not None)


@pytest.mark.parametrize("mixer", ["none", "depthwise", {"name": "attention", "positions": "rotary"}])
def test_the_convolution_in_front_is_what_the_mixer_declares_or_what_was_asked_for(mixer):
    spec = mixer_spec(mixer)
    x = torch.zeros(1, 32, 9)
    x[..., 4] = 1

    def reached(taps):
        block = wave_block(32, 1, spec, mlp_ratio=4.0, local_taps=taps)
        return None if block.mixer.local is None else (block.mixer.local(x) - block.mixer.local(0 * x)).count_nonzero()

    assert reached(None) == (None if isinstance(mixer, dict) else 32 * 3)
    assert reached(0) is None
    assert reached(5) == 32 * 5
    with pytest.raises(wavezoo.WavezooError, match="local_taps is 4"):
        reached(4)


@pytest.mark.parametrize("taps", [None, 0, 7])
@pytest.mark.parametrize("rule", RULES)
def test_matching_rules(rule, taps):
    sizes = {
        mixer: sum(
            each.numel()
            for each in wave_block(32, 1, mixer_spec(mixer), mlp_ratio=3.0, matching=rule, local_taps=taps).parameters()
        )
        for mixer in ("wave", "attention", "none")
    }
    close = max(sizes.values()) - min(sizes.values()) < 0.02 * sizes["wave"]
    assert close == (rule == "parameters")


@pytest.mark.parametrize("name", names_of_kind("dense"))
@pytest.mark.parametrize("size", [(1, 1), (7, 12), (16, 16)])
def test_dense_models_keep_the_size_of_the_image(name, size):
    model = create_model(name, num_classes=4, in_chans=2, dim=8, depth=1)
    assert model(torch.randn(2, 2, *size)).shape == (2, 4, *size)
    model.reset_classifier(1)
    assert model(torch.randn(2, 2, *size)).shape == (2, 1, *size)
    with pytest.raises(wavezoo.WavezooError, match="does not fit a model for images"):
        model(torch.randn(2, 3, *size))


@pytest.mark.parametrize("name", registry.models())
def test_every_model_of_ours_is_found_with_its_options(name):
    options = model_options(name)
    if name in names_of_kind("language"):
        assert {"mixers", "vocab_size"} <= set(options)
    else:
        assert {"preset", "mixer", "integrator", "num_classes"} <= set(options)
        assert check_model_options(name, {"integrator": "yoshida4", "drop_path_rate": 0.1}, ["num_classes"])
    with pytest.raises(wavezoo.WavezooError, match="nearest first: drop_path_rate"):
        check_model_options(name, {"drop_pth_rate": 0.1})
    with pytest.raises(wavezoo.WavezooError, match="num_classes follows from the data set"):
        check_model_options(name, {"num_classes": 3}, ["num_classes"])


def test_any_model_of_timms_is_found():
    assert find_model("convnext_atto").kind == "image"
    assert create_model("convnext_atto", num_classes=3, device="meta").num_classes == 3
    assert model_options("convnext_atto") is None
    with pytest.raises(wavezoo.WavezooError, match="nearest first: convnext_atto"):
        find_model("convnext_ato")
