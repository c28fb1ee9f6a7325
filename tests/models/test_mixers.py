import pytest
import torch

import wavezoo
from wavezoo.mixers import GlobalFilterMixer
from wavezoo.plugins.registry import registry

MIXERS = registry.schemes("mixers")


def even_filter(ndim, resolution):
    """A filter of gain 1 at zero frequency that cannot tell left from right."""
    mixer = GlobalFilterMixer(1, ndim, resolution=resolution).double()
    frequencies = [torch.fft.fftfreq(resolution).double()] * (ndim - 1) + [torch.fft.rfftfreq(resolution).double()]
    distance = sum(each.abs() for each in torch.meshgrid(*frequencies, indexing="ij"))
    with torch.no_grad():
        mixer.weight.zero_()
        mixer.weight[0, 0] = (-2 * distance).exp()
    return mixer


@pytest.mark.parametrize("ndim", [1, 2])
@pytest.mark.parametrize(("resolution", "size"), [(14, 28), (14, 7), (7, 14), (4, 6), (14, 14), (7, 9), (5, 2), (8, 1)])
def test_a_global_filter_on_another_grid_keeps_constants_and_symmetry(ndim, resolution, size):
    mixer = even_filter(ndim, resolution)
    ones = torch.ones(1, 1, *[size] * ndim, dtype=torch.float64)
    torch.testing.assert_close(mixer(ones), ones)
    delta = torch.zeros_like(ones)
    delta.view(-1)[0] = 1
    response = mixer(delta)
    for axis in range(2, 2 + ndim):
        torch.testing.assert_close(response, response.flip(axis).roll(1, axis))


def test_a_mixer_for_lines_says_so_on_an_image(scratch_registry):
    class Lines(type(wavezoo.create_mixer(2, 1, "none"))):
        """For lines only."""

        ndims = (1,)

    class Plugin:
        @wavezoo.hookimpl
        def wavezoo_mixers(self):
            return {"lines": Lines}

    scratch_registry.add(Plugin(), "lines", "test")
    assert wavezoo.create_mixer(2, 1, "lines").ndim == 1
    with pytest.raises(wavezoo.WavezooError, match="number of grid axes of Lines is 2; allowed, nearest first: 1"):
        wavezoo.create_mixer(2, 2, "lines")


@pytest.mark.parametrize("mixer", [name for name, scheme in MIXERS.items() if scheme.causality == "never"])
def test_who_cannot_be_causal_says_who_can(mixer):
    can = [name for name, scheme in MIXERS.items() if scheme.causality == "optional"]
    with pytest.raises(wavezoo.WavezooError) as caught:
        wavezoo.create_mixer(2, 1, mixer, causal=True)
    assert all(name in str(caught.value) for name in can)
