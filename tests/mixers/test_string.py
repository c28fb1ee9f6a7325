"""The string against dense matrix exponentials, position by position, from its equation."""

import math

import pytest
import torch

import wavezoo

KINDS = ["harmonic", "medium", "free"]


def mixer_of(kind, causal=True, modes=5, channels=3):
    torch.manual_seed(0)
    mixer = wavezoo.create_mixer(channels, 1, {"name": "string", "kind": kind, "modes": modes}, causal=causal).double()
    with torch.no_grad():
        for parameter in mixer.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
    return mixer


def modal(string, channel):
    """Stiffness, strike, and readings of displacement and velocity of a string of free modes."""
    if hasattr(string, "number"):
        omega = math.pi * string.number[channel] / string.log_crossing[channel].exp()
    else:
        omega = string.log_frequency[channel].exp()
    w, velocity = string.readings[:, channel]
    return omega.square().diag(), torch.ones_like(omega), w * omega, velocity


def cells(string, channel):
    """The same of cells between fixed ends: ``u'' = c² ∂²u - γ u' + c b x``, heard by slope and by velocity over c."""
    count = string.strike.shape[-1]
    c = (count + 1) / string.log_crossing[channel].exp() * 2 ** string.detuning[channel].tanh()
    difference = torch.zeros(count + 1, count, dtype=torch.float64)
    for cell in range(count):
        difference[cell, cell], difference[cell + 1, cell] = 1, -1
    slope, velocity = string.readings[:, channel]
    stiffness = c.square()[:, None] * (difference.T @ difference)
    return stiffness, c * string.strike[channel], slope @ difference[:-1], velocity / c


def naive(string, x):
    outputs = []
    for channel in range(x.shape[1]):
        stiffness, strike, displacement, velocity = (cells if hasattr(string, "strike") else modal)(string, channel)
        count, gamma = len(strike), string.log_damping[channel].exp()
        eye, zero = torch.eye(count, dtype=torch.float64), torch.zeros(count, count, dtype=torch.float64)
        move = torch.matrix_exp(torch.cat([torch.cat([zero, eye], 1), torch.cat([-stiffness, -gamma * eye], 1)]))
        strike = torch.cat([torch.zeros_like(strike), strike * (gamma / (1 + gamma)).sqrt()])
        state, heard = torch.zeros(len(x), 2 * count, dtype=torch.float64), []
        for u in x[:, channel].unbind(-1):
            state = state @ move.T + u[:, None] * strike
            heard.append(state @ torch.cat([displacement, velocity]))
        outputs.append(torch.stack(heard, -1))
    return torch.stack(outputs, 1)


@pytest.mark.parametrize("causal", [True, False])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("length", [1, 2, 64, 150])
def test_a_string_is_its_equation(kind, causal, length):
    mixer = mixer_of(kind, causal)
    x = torch.randn(2, 3, length, dtype=torch.float64, requires_grad=True)
    expected = naive(mixer.strings[0], x) + mixer.d * x
    if not causal:
        # The other string hears what comes from the next position on.
        later = naive(mixer.strings[1], x.flip(-1)).flip(-1)[..., 1:]
        expected = expected + torch.nn.functional.pad(later, (0, 1))
    actual = mixer(x)
    torch.testing.assert_close(actual, expected, rtol=1e-9, atol=1e-9)
    variables = [x, *mixer.parameters()]
    weights = torch.randn_like(x)
    gradients = [
        torch.autograd.grad((y * weights).sum(), variables, materialize_grads=True) for y in (actual, expected)
    ]
    for one, other in zip(*gradients, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-7, atol=1e-8)


@pytest.mark.parametrize("kind", ["harmonic", "medium"])
def test_a_string_starts_with_crossings_of_4_to_1000_positions(kind):
    string = wavezoo.create_mixer(512, 1, {"name": "string", "kind": kind}, causal=True).strings[0]
    crossing = string.log_crossing.exp()
    assert 4 <= crossing.min() < 4.5
    assert 900 < crossing.max() <= 1000
    assert abs(crossing.log().median() - math.log(4000) / 2) < 0.5
    torch.testing.assert_close(string.log_damping.exp() * crossing, torch.ones(512, 1))


def test_all_modes_of_an_even_medium_are_struck_equally():
    string = wavezoo.create_mixer(2, 1, {"name": "string", "kind": "medium", "modes": 8}, causal=True).strings[0]
    modes = string.modes(torch.float64)
    torch.testing.assert_close(modes.strike.abs(), torch.ones_like(modes.strike), rtol=1e-5, atol=1e-5)
    expected = 18 * torch.sin(torch.arange(1, 9).double() * math.pi / 18) / string.log_crossing.exp()
    torch.testing.assert_close(modes.frequency, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_white_noise_is_heard_as_loud_as_it_is(kind):
    torch.manual_seed(0)
    mixer = wavezoo.create_mixer(64, 1, {"name": "string", "kind": kind}, causal=True)
    with torch.no_grad():
        mixer.d.zero_()
        heard = mixer(torch.randn(1, 64, 8192))[..., 4096:]
    assert 0.7 < heard.std() < 1.4


@pytest.mark.parametrize("change", [-200.0, -30.0, 30.0, 200.0])
@pytest.mark.parametrize("kind", KINDS)
def test_no_parameter_makes_a_string_fail(kind, change):
    mixer = mixer_of(kind).float()
    x = torch.randn(1, 3, 200)
    for parameter in mixer.strings[0].physical_parameters():
        before = parameter.detach().clone()
        with torch.no_grad():
            parameter.add_(change)
        y = mixer(x)
        gradients = torch.autograd.grad(y.sum(), list(mixer.parameters()))
        assert all(each.isfinite().all() for each in (y, *gradients)), parameter.shape
        with torch.no_grad():
            parameter.copy_(before)


def test_the_convolution_in_front_is_as_wide_as_published_for_language():
    assert mixer_of("harmonic", causal=True).local_taps == 4
    assert mixer_of("harmonic", causal=False).local_taps == 3


@pytest.mark.parametrize(
    ("options", "ndim", "message"),
    [
        ({"kind": "medum"}, 1, "kind is 'medum'; allowed, nearest first: medium"),
        ({"modes": 0}, 1, "modes is 0"),
        ({}, 2, "number of grid axes of StringMixer is 2; allowed, nearest first: 1"),
    ],
)
def test_what_a_string_cannot_be(options, ndim, message):
    with pytest.raises(wavezoo.WavezooError, match=message):
        wavezoo.create_mixer(4, ndim, {"name": "string", **options})
