"""S4D against a naive recurrence in complex numbers, from the equations of the paper."""

import math

import pytest
import torch

import wavezoo

KINDS = ["lin", "real"]


def naive(mixer, x):
    """The recurrence of every direction, position by position, in complex128."""
    dt = mixer.log_dt.exp()[:, None]
    a = -mixer.log_decay.exp() + (0 if mixer.frequency is None else 1j * mixer.frequency)

    def number(parts):
        return torch.complex(parts[..., 0], parts[..., 1] if parts.shape[-1] == 2 else torch.zeros_like(parts[..., 0]))

    held = (torch.exp(dt * a) - 1) / a * number(mixer.b)
    directions, factor = [], 1 if mixer.frequency is None else 2
    for c in mixer.c:
        h, outputs = torch.zeros_like(held), []
        for u in (x if not directions else x.flip(-1)).unbind(-1):
            h = torch.exp(dt * a) * h + held * u[..., None]
            outputs.append(factor * (number(c) * h).sum(-1).real)
        directions.append(torch.stack(outputs, -1))
    y = directions[0] + mixer.d * x
    if len(directions) == 2:
        # The other direction starts at the next position.
        y = y + torch.nn.functional.pad(directions[1].flip(-1)[..., 1:], (0, 1))
    return y


def mixer_of(kind, causal, modes=5):
    torch.manual_seed(0)
    return wavezoo.create_mixer(3, 1, {"name": "s4d", "kind": kind, "modes": modes}, causal=causal).double()


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("length", [1, 2, 64, 150])
def test_s4d_is_the_recurrence_of_the_paper(kind, causal, length):
    mixer = mixer_of(kind, causal)
    with torch.no_grad():
        mixer.b.normal_()
    x = torch.randn(2, 3, length, dtype=torch.float64, requires_grad=True)
    actual, expected = mixer(x), naive(mixer, x)
    torch.testing.assert_close(actual, expected, rtol=1e-10, atol=1e-10)
    variables = [x, *mixer.parameters()]
    weights = torch.randn_like(x)
    gradients = [torch.autograd.grad((y * weights).sum(), variables) for y in (actual, expected)]
    for one, other in zip(*gradients, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("kind", KINDS)
def test_s4d_starts_as_published(kind):
    mixer = wavezoo.create_mixer(512, 1, {"name": "s4d", "kind": kind, "modes": 4})
    numbers = torch.arange(4.0)
    expected = numbers + 1 if kind == "real" else torch.full((4,), 0.5)
    torch.testing.assert_close(mixer.log_decay.exp(), expected.expand(512, 4))
    if kind == "lin":
        torch.testing.assert_close(mixer.frequency, (math.pi * numbers).expand(512, 4))
    dt = mixer.log_dt.exp()
    assert 0.001 <= dt.min() < 0.0015
    assert 0.07 < dt.max() <= 0.1
    assert abs(dt.median().log() - math.log(0.01)) < 0.4


def test_s4d_names_what_gets_a_learning_rate_of_its_own():
    model = wavezoo.create_sequence_model("wavepde_seq_tiny", in_features=1, num_classes=2, mixer="s4d")
    names = {name.rpartition(".")[2] for name in model.no_weight_decay()}
    assert names == {"log_dt", "log_decay", "frequency", "b"}


@pytest.mark.parametrize(
    ("options", "ndim", "message"),
    [
        ({"kind": "linear"}, 1, "kind is 'linear'; allowed, nearest first: lin, real"),
        ({"modes": 0}, 1, "modes is 0"),
        ({}, 2, "number of grid axes of S4DMixer is 2; allowed, nearest first: 1"),
    ],
)
def test_what_s4d_cannot_be(options, ndim, message):
    with pytest.raises(wavezoo.WavezooError, match=message):
        wavezoo.create_mixer(4, ndim, {"name": "s4d", **options})
