"""A causal model that goes on from a state gives what it gives at once."""

import pytest
import torch

import wavezoo
from tests.mixers.small import small
from wavezoo.mixers.recurrent import RecurrentMixer
from wavezoo.plugins.registry import registry

RECURRENT = [name for name, scheme in registry.schemes("mixers").items() if issubclass(scheme, RecurrentMixer)]
OTHERS = sorted(set(registry.schemes("mixers")) - set(RECURRENT))


def create(mixer, **options):
    torch.manual_seed(0)
    options = {"vocab_size": 9, "num_classes": 9, "global_pool": "", "dim": 16, "depth": 2, **options}
    return wavezoo.create_sequence_model("wavepde_seq_tiny", mixer=small(mixer), **options).double().eval()


@pytest.mark.parametrize("options", [{}, {"max_length": 20}, {"local_taps": 0}, {"local_taps": 4}], ids=str)
@pytest.mark.parametrize("mixer", RECURRENT)
def test_a_model_goes_on_from_a_state(mixer, options):
    model = create(mixer, causal=True, **options)
    x = torch.randint(0, 9, (3, 20), generator=torch.Generator().manual_seed(0))
    expected = model(x)
    for cut in (1, 7, 20):
        logits, state = model(x[:, :cut], state=model.initial_state(3))
        pieces = [logits]
        for token in x[:, cut:].unbind(1):
            logits, state = model.step(token, state)
            pieces.append(logits[:, None])
        assert state.position == 20
        torch.testing.assert_close(torch.cat(pieces, 1), expected, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("mixer", RECURRENT)
def test_a_sequence_may_be_followed_by_several_others(mixer):
    model = create(mixer, causal=True, global_pool="last")
    x = torch.randint(0, 9, (2, 12), generator=torch.Generator().manual_seed(0))
    _, state = model(x[:1, :5], state=model.initial_state(1))
    both = state._replace(blocks=tuple(tuple(each.repeat_interleave(2, 0) for each in block) for block in state.blocks))
    logits, _ = model(x[:, 5:], state=both)
    torch.testing.assert_close(logits, model(torch.cat([x[:1, :5].expand(2, 5), x[:, 5:]], 1)))


@pytest.mark.parametrize("mixer", OTHERS)
def test_who_has_no_state_says_so(mixer):
    with pytest.raises(wavezoo.WavezooError, match="has no state to go on from"):
        create(mixer).initial_state(1)


def test_what_cannot_go_on_from_a_state_says_so():
    with pytest.raises(wavezoo.WavezooError, match=r"not causal.*Build it with causal=True"):
        create("attention").initial_state(1)
    with pytest.raises(wavezoo.WavezooError, match="global_pool of a model that goes on from a state is 'mean'"):
        create("attention", causal=True, global_pool="mean").initial_state(1)
    model = create("attention", causal=True, max_length=4)
    _, state = model(torch.zeros(1, 4, dtype=torch.long), state=model.initial_state(1))
    with pytest.raises(wavezoo.WavezooError, match="sequences of 5 elements are longer"):
        model.step(torch.zeros(1, dtype=torch.long), state)
    with pytest.raises(wavezoo.WavezooError, match="a mask and a state"):
        model(torch.zeros(1, 1, dtype=torch.long), torch.ones(1, 1, dtype=torch.bool), state=state)
