"""Convolutions whose taps keep their distance when the grid changes."""

import pytest
import torch
from torch import nn
from torch.nn.utils import prune

from wavezoo.wave.convolution import GridConv

SHAPES = [(ndim, kernel_size, causal) for ndim in (1, 2) for kernel_size in (1, 2, 3, 5) for causal in (False, True)]


def built(ndim, kernel_size, causal):
    return GridConv(3, 3, ndim, kernel_size, causal=causal and ndim == 1), torch.randn(2, 3, *[9] * ndim)


@pytest.mark.parametrize(("ndim", "kernel_size", "causal"), SHAPES)
def test_what_is_hooked_to_its_convolution_or_put_in_its_place_takes_part(ndim, kernel_size, causal):
    layer, x = built(ndim, kernel_size, causal)
    before, calls = layer(x), []
    handle = layer.conv.register_forward_hook(lambda *_: calls.append(1))
    layer(x)
    assert calls == [1]
    handle.remove()
    layer.conv = nn.Sequential(layer.conv, nn.Tanh())
    torch.testing.assert_close(layer(x), before.tanh())


@pytest.mark.parametrize(("ndim", "kernel_size", "causal"), SHAPES)
@pytest.mark.parametrize(
    "reparametrise",
    [
        lambda conv: prune.l1_unstructured(conv, "weight", 0.5),
        torch.nn.utils.spectral_norm,
        torch.nn.utils.parametrizations.weight_norm,
    ],
)
def test_its_convolution_trains_pruned_or_reparametrised(reparametrise, ndim, kernel_size, causal):
    layer, x = built(ndim, kernel_size, causal)
    reparametrise(layer.conv)
    optimizer = torch.optim.SGD(layer.parameters(), 0.1)
    for _ in range(2):
        optimizer.zero_grad()
        layer(x).square().sum().backward()
        optimizer.step()
    assert all(parameter.grad is not None and parameter.grad.any() for parameter in layer.parameters())


@pytest.mark.parametrize(("ndim", "kernel_size", "causal"), SHAPES)
def test_its_output_is_the_convolution_over_its_window(ndim, kernel_size, causal):
    layer, x = built(ndim, kernel_size, causal)
    y = layer(x)
    assert y.shape == x.shape
    layer.grid_spacing = 1 + 1e-12  # The other branch, with the same taps.
    torch.testing.assert_close(layer(x), y)
