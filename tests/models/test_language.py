"""Language models: no token sees a later one, what is drawn goes on from a state, and the state need not grow."""

import math

import pytest
import torch

import wavezoo
from wavezoo import Sampling
from wavezoo.errors import WavezooError
from wavezoo.models.language import WavePDELanguage
from wavezoo.models.variants import LANGUAGE

VOCABULARY = 11
PATTERNS = [("s4d",), ("depthwise", "s4d"), ("s4d", {"name": "attention", "positions": "rotary"}, "depthwise")]


def model_of(mixers=("s4d",), **options):
    torch.manual_seed(0)
    options = {"depth": 3, "dim": 8, "matching": "width", **options}
    return WavePDELanguage(VOCABULARY, mixers=mixers, **options).double().eval()


def tokens(*shape):
    return torch.randint(0, VOCABULARY, shape)


@pytest.mark.parametrize("mixers", PATTERNS)
def test_no_logits_depend_on_later_tokens(mixers):
    model, x = model_of(mixers), tokens(2, 9)
    other = torch.cat([x[:, :5], (x[:, 5:] + 1) % VOCABULARY], 1)
    assert torch.equal(model(x)[:, :5], model(other)[:, :5])
    assert not torch.equal(model(x)[:, 5:], model(other)[:, 5:])


@pytest.mark.parametrize("mixers", PATTERNS)
def test_mixers_follow_the_pattern(mixers):
    names = [type(block.mixer.mixer).__name__ for block in model_of(mixers, depth=5).blocks]
    assert names == (names[: len(mixers)] * 5)[:5]
    assert len(set(names)) == len(mixers)


@pytest.mark.parametrize("mixers", PATTERNS)
def test_what_is_drawn_is_what_the_whole_text_makes_likely(mixers):
    model, prompt = model_of(mixers), tokens(2, 4)
    drawn = model.generate(prompt, 6, Sampling(temperature=0))
    whole = torch.cat([prompt, drawn], 1)
    assert torch.equal(model(whole)[:, 3:-1].argmax(-1), drawn)


def test_a_seed_decides_what_is_drawn():
    model, prompt = model_of(), tokens(3, 4)
    first, again, other = (model.generate(prompt, 12, Sampling(seed=seed)) for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


@pytest.mark.parametrize("sampling", [Sampling(top_k=1, seed=0), Sampling(top_p=1e-6, seed=0)])
def test_the_likeliest_alone_is_the_likeliest(sampling):
    model, prompt = model_of(), tokens(2, 4)
    assert torch.equal(model.generate(prompt, 5, sampling), model.generate(prompt, 5, Sampling(temperature=0)))


def test_tokens_are_drawn_as_often_as_they_are_likely():
    logits = torch.tensor([[0.5, 0.3, 0.15, 0.05]]).log().expand(20_000, 4)
    for sampling, expected in (
        (Sampling(), [0.5, 0.3, 0.15, 0.05]),
        (Sampling(top_k=2), [0.625, 0.375, 0, 0]),
        (Sampling(top_p=0.7), [0.625, 0.375, 0, 0]),
        (Sampling(temperature=0.5), [0.685, 0.247, 0.062, 0.007]),
    ):
        drawn = sampling.drawn(logits, torch.Generator().manual_seed(0))
        shares = drawn.bincount(minlength=4) / len(drawn)
        # Four standard errors.
        assert torch.allclose(shares, torch.tensor(expected), atol=0.015)


def test_the_state_does_not_grow_with_the_text():
    model = model_of(("s4d", "depthwise"))
    sizes = []
    for length in (3, 50):
        _, state = model(tokens(1, length), state=model.initial_state(1))
        sizes.append(sum(each.numel() for block in state.blocks for each in block))
    assert sizes[0] == sizes[1]


def test_the_embedding_is_the_classifier(tmp_path):
    model = model_of()
    assert not [name for name, _ in model.named_parameters() if name.startswith("head.fc")]
    model.save_pretrained(tmp_path)
    again = WavePDELanguage.from_pretrained(tmp_path).double().eval()
    x = tokens(1, 7)
    assert torch.allclose(again(x), model(x), atol=1e-6)


def test_a_fresh_model_gives_every_token_about_the_same_probability():
    loss = torch.nn.functional.cross_entropy(model_of(dim=32)(tokens(4, 50)).flatten(0, 1), tokens(200))
    assert loss.item() == pytest.approx(math.log(VOCABULARY), abs=0.1)


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda model: model.generate(tokens(1, 0), 3), "prompt of shape"),
        (lambda model: model.generate(tokens(1, 4), 0), "length"),
        (lambda model: model.generate(tokens(1, 4), 9), "max_length=8"),
        (lambda model: Sampling(temperature=-1), "temperature is -1"),
        (lambda model: Sampling(top_k=0), "top_k"),
        (lambda model: Sampling(top_p=1.5), "top_p is 1.5"),
        (lambda model: WavePDELanguage(5, mixers="s4d"), "give a list"),
        (lambda model: WavePDELanguage(5, mixers=["wave"]), "not causal"),
        (lambda model: WavePDELanguage(5, mixers=["s4d", "strings"]), "strings"),
        (lambda model: wavezoo.create_language_model("wavepde_lm_tny", 5), "nearest first: wavepde_lm_tiny"),
    ],
)
def test_what_cannot_be_is_told(call, said):
    with pytest.raises(WavezooError, match=said):
        call(model_of(max_length=8))


@pytest.mark.parametrize("name", LANGUAGE)
def test_every_size_is_built(name):
    assert wavezoo.create_language_model(name, 65, device="meta").vocab_size == 65
