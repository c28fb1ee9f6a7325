"""Keyword arguments that are wrong in any way: a WavezooError, or a layer that works."""

import inspect
from contextlib import suppress

import pytest
import timm
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import wavezoo
from wavezoo.config.presets import OPERATOR_CHOICES

OPERATOR = sorted(OPERATOR_CHOICES)
SEQUENCE = [*OPERATOR, *list(inspect.signature(wavezoo.WavePDESequence).parameters)[:-1]]
IMAGE = [*OPERATOR, *list(inspect.signature(wavezoo.WavePDE).parameters)[:-1]]
# So that a model is built in a moment.
SMALL_IMAGE = {"dims": (4, 4), "depths": (1, 1), "strides": (1, 2), "num_classes": 2}
SMALL_SEQUENCE = {"dim": 4, "depth": 1, "num_classes": 2, "in_features": 1}


def _operator(kwargs):
    channels, ndim = kwargs.pop("channels", 2), kwargs.pop("ndim", 1)
    operator = wavezoo.create_operator(channels, ndim, **kwargs)
    return operator(torch.randn(1, channels, *(6,) * ndim))


def _mixer(kwargs):
    return wavezoo.create_mixer(2, 1, **kwargs)(torch.randn(1, 2, 6))


def _image(kwargs):
    model = timm.create_model("wavepde_iso_tiny", **{**SMALL_IMAGE, **kwargs}).eval()
    return model(torch.randn(1, model.in_chans, 16, 16, dtype=next(model.parameters()).dtype))


def _sequence(kwargs):
    model = wavezoo.create_sequence_model("wavepde_seq_tiny", **{**SMALL_SEQUENCE, **kwargs}).eval()
    if model.vocab_size is not None:
        return model(torch.zeros(1, 6, dtype=torch.long))
    return model(torch.randn(1, 6, model.in_features, dtype=next(model.parameters()).dtype))


BUILT = {
    "operator": (_operator, [*OPERATOR, "channels", "ndim"]),
    "mixer": (_mixer, ["mixer", *OPERATOR]),
    "image": (_image, IMAGE),
    "sequence": (_sequence, SEQUENCE),
}


def _built(what, values, data):
    build, keys = BUILT[what]
    kwargs = data.draw(st.dictionaries(st.sampled_from(keys), values, min_size=1, max_size=2))
    with suppress(wavezoo.WavezooError):
        assert isinstance(build(dict(kwargs)), torch.Tensor)


@pytest.mark.parametrize("what", BUILT)
@settings(max_examples=150)
@given(data=st.data())
def test_keywords_work_or_are_refused(what, values, data):
    _built(what, values, data)


@pytest.mark.slow
@pytest.mark.parametrize("what", BUILT)
@settings(max_examples=2000)
@given(data=st.data())
def test_many_keywords_work_or_are_refused(what, values, data):
    _built(what, values, data)
