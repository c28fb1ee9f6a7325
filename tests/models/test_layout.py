"""Fields may lie in memory with their channels first or last: what is computed is the same, and a block copies none."""

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from wavezoo.config.spec import mixer_spec
from wavezoo.models.block import wave_block
from wavezoo.plugins.registry import registry
from wavezoo.wave.layout import channels_last
from wavezoo.wave.spectral.basis import BASES

COPIES = (torch.ops.aten.clone.default, torch.ops.aten.copy_.default)


class CopiesOf(TorchDispatchMode):
    """Counts copies of tensors of at least ``size`` elements."""

    def __init__(self, size):
        super().__init__()
        self.size, self.count = size, 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        out = function(*args, **(kwargs or {}))
        self.count += function in COPIES and out.numel() >= self.size
        return out


def in_both_layouts(ndim, channels, *sides):
    last = torch.randn(2, *sides[:ndim], channels, dtype=torch.float64).movedim(-1, 1)
    return [each.requires_grad_() for each in (last, last.contiguous())]


def check_equal_in_both_layouts(function, ndim, channels, *sides):
    inputs = in_both_layouts(ndim, channels, *sides)
    last, first = (function(x) for x in inputs)
    torch.testing.assert_close(last, first)
    weight = torch.randn_like(first)
    found = [torch.autograd.grad(y, x, weight)[0] for x, y in zip(inputs, (last, first), strict=True)]
    torch.testing.assert_close(*found)


@pytest.mark.parametrize(
    ("mixer", "ndim"),
    [(name, ndim) for name, scheme in registry.schemes("mixers").items() for ndim in (1, 2) if ndim in scheme.ndims],
)
def test_a_block_gives_equal_outputs_and_gradients_in_either_layout(mixer, ndim):
    torch.manual_seed(0)
    block = wave_block(8, ndim, mixer_spec(mixer), mlp_ratio=4.0, matching="width").double()
    check_equal_in_both_layouts(block, ndim, 8, 6, 5)


@pytest.mark.parametrize("ndim", [1, 2, 3])
@pytest.mark.parametrize("method", ["matmul", "fft"])
@pytest.mark.parametrize("boundary", BASES)
def test_a_second_derivative_is_equal_in_either_layout_and_a_product_keeps_it(boundary, method, ndim):
    def laplacian(u):
        return BASES[boundary].second_derivatives(u, method)(u)

    check_equal_in_both_layouts(laplacian, ndim, 3, 6, 5, 4)
    if method == "matmul":
        last, first = in_both_layouts(ndim, 3, 6, 5, 4)
        assert channels_last(laplacian(last))
        assert laplacian(first).is_contiguous()


@pytest.mark.parametrize("backward", [False, True])
def test_a_block_on_images_copies_no_field(backward):
    block = wave_block(16, 2, mixer_spec("wave"), mlp_ratio=4.0)
    # As many samples as make a field larger than what depends on the grid alone.
    x = torch.randn(3, 16, 16, 16).to(memory_format=torch.channels_last).requires_grad_(backward)
    with torch.set_grad_enabled(backward), CopiesOf(x.numel()) as copies:
        y = block(x)
        if backward:
            y.backward(torch.ones_like(y))
    assert copies.count == 0
    assert channels_last(y)
