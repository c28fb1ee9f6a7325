import pytest
import torch

from wavezoo.plugins.registry import registry
from wavezoo.wave import Damping, KleinGordonPotential, SpectralLaplacian, WaveSystem, between, closing, opening, whole


def random(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def system(damping, potential=None):
    laplacian, u = SpectralLaplacian(2, 1), random(1, 2, 8)
    square = random(1, 2, 1 if damping.in_modes else 8, seed=1).square()
    gamma = random(1, 2, 1 if damping.in_modes else 8, seed=2).square()
    return WaveSystem(laplacian.bind(u), square, damping, gamma, lambda: laplacian.modes(u), potential)


@pytest.mark.parametrize("name", registry.schemes("damping"))
@pytest.mark.parametrize("with_potential", [False, True])
def test_every_form_of_a_kick_is_the_coefficients_of_the_damping(name, with_potential):
    damping: Damping = registry.scheme("damping", name)(2, 1)
    medium = system(damping, KleinGordonPotential(2, 1).double() if with_potential else None)
    u, v = random(2, 2, 8, seed=3), random(2, 2, 8, seed=4)
    for form in (opening, closing, between, whole):
        kick = form(damping, medium.damping_rate, 0.3)
        there, back = (medium.modes.transform, medium.modes.inverse) if damping.in_modes else (lambda x: x,) * 2
        decay = 1.0 if kick.decay is None else kick.decay
        expected = back(decay * there(v) + kick.push * there(medium.acceleration(u)))
        torch.testing.assert_close(medium.kick(v, medium.pull(u), 0.3, form), expected)
        rest = medium.kick(None, medium.pull(u), 0.3, form)
        torch.testing.assert_close(rest, medium.kick(torch.zeros_like(u), medium.pull(u), 0.3, form))


def test_a_system_without_modes_says_how_to_ask_for_them():
    damping = registry.scheme("damping", "none")(2, 1)
    bare = WaveSystem(lambda u: -u, torch.ones(1), damping, torch.zeros(1))
    assert not bare.uniform
    with pytest.raises(RuntimeError, match="requires"):
        assert bare.modes
