import math

import pytest
import torch

import wavezoo
from wavezoo.config.presets import OPERATOR_CHOICES, PRESETS
from wavezoo.plugins.axes import ROLES
from wavezoo.plugins.registry import registry
from wavezoo.wave.readouts import READOUTS
from wavezoo.wave.stability import GUARDS
from wavezoo.wave.starts import STARTS

# How a gradient is computed, and what is refused: neither is meant to change an output.
ABOUT_OUTPUT = [option for option in OPERATOR_CHOICES if option not in ("gradient", "causal")]


def built(preset, **choices):
    torch.manual_seed(0)
    return wavezoo.create_operator(3, 2, preset, **choices).double()


def output(operator):
    # Steep enough that a guard has something to hold back.
    x = 3 * torch.randn(2, 3, 6, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    return operator(x).detach()


def others(preset, option):
    """What else may be said of an option."""
    now = PRESETS[preset].choices[option]
    if option in ROLES:
        name = now["name"] if isinstance(now, dict) else now
        schemes = registry.schemes(ROLES[option].name).items()
        found = [
            {"name": other, **(scheme.variants[0] if scheme.variants else {})}
            for other, scheme in schemes
            if other != name
        ]
        return [*found, {**now, "initial": 2 * now["initial"]}] if isinstance(now, dict) else found
    choices = {"initial_velocity": STARTS, "readout": READOUTS, "courant_guard": GUARDS}
    if option in choices:
        return [each for each in choices[option] if each not in (now, "raise")]
    if now is None:
        return [20]
    return [not now] if isinstance(now, bool) else [now + 1]


@pytest.mark.parametrize("option", ABOUT_OUTPUT)
@pytest.mark.parametrize("preset", PRESETS)
def test_every_option_of_a_preset_changes_the_result_unless_it_is_said_to_be_idle(preset, option):
    before = built(preset)
    changed = []
    for other in others(preset, option):
        try:
            operator = built(preset, **{option: other})
        except wavezoo.WavezooError:
            # Refused, which is no idle option either.
            continue
        learned = [{name for name, _ in each.named_parameters()} for each in (operator, before)]
        changed.append(not torch.equal(output(operator), output(before)))
        if option not in PRESETS[preset].idle:
            changed[-1] |= learned[0] != learned[1]
    assert any(changed) == (option not in PRESETS[preset].idle) or not changed


@pytest.mark.parametrize("preset", PRESETS)
def test_what_is_idle_is_an_option_and_has_a_reason(preset):
    assert set(PRESETS[preset].idle) < set(OPERATOR_CHOICES)
    assert all(PRESETS[preset].idle.values())


def test_channels_of_the_closed_form_travel_from_less_than_a_cell_to_many():
    operator = wavezoo.create_operator(9, 1, "closed_form")
    travelled = (operator.speed(torch.zeros(1, 9, 4)) * operator.steps * operator.dt).flatten()
    assert travelled.min().item() == pytest.approx(1.4 / 4.5, rel=1e-5)
    assert travelled.max().item() == pytest.approx(1.4 * 4.5, rel=1e-5)
    assert travelled.log().diff().std() < 1e-5


@pytest.mark.parametrize("channels", [1, 5])
def test_the_closed_form_is_the_exact_solution_in_each_channel(channels):
    operator = wavezoo.create_operator(channels, 1, "closed_form").double()
    size = 12
    k = math.pi * 3 / size
    x = ((torch.arange(size, dtype=torch.float64) + 0.5) * k).cos().expand(1, channels, size)
    speed = operator.speed(x).view(-1)
    decay = operator.damping_field(x).view(-1) / 2
    omega = ((speed * k) ** 2 - decay**2).sqrt()
    expected = (-decay).exp() * (omega.cos() + decay / omega * omega.sin())
    torch.testing.assert_close(operator(x), expected.view(1, -1, 1) * x)


def test_parameters_of_the_closed_form_are_two_vectors():
    assert [parameter.shape for parameter in wavezoo.create_operator(4, 2, "closed_form").parameters()] == [(4,), (4,)]
