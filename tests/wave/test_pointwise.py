"""1x1 convolutions of activations that are computed again in the backward pass."""

import pytest
import torch
from torch.autograd import gradcheck, gradgradcheck
from torch.func import grad, jvp, vmap

from wavezoo.wave.convolution import conv, convolved
from wavezoo.wave.pointwise import ACTIVATIONS

CASES = [(activation, count, ndim) for activation, count in (("gelu", 1), ("gated", 2)) for ndim in (1, 2)]
ignores_jit = pytest.mark.filterwarnings("ignore:`torch.jit.script` is deprecated:FutureWarning")
cases = pytest.mark.parametrize(("activation", "count", "ndim"), CASES)


def built(count, ndim, dtype=torch.float64):
    layer = conv(ndim)(3, 4, 1).to(dtype)
    inputs = [torch.randn(2, *[4, 5][:ndim], 3, dtype=dtype).movedim(-1, 1).requires_grad_() for _ in range(count)]
    return layer, inputs


@cases
@pytest.mark.parametrize("last", [True, False])
def test_outputs_and_gradients_are_those_of_single_operations_in_either_layout(activation, count, ndim, last):
    layer, inputs = built(count, ndim)
    if not last:
        inputs = [each.detach().contiguous().requires_grad_() for each in inputs]
    given = [*inputs, *layer.parameters()]
    found, expected = convolved(layer, activation, *inputs), layer(ACTIVATIONS[activation].function(*inputs))
    torch.testing.assert_close(found, expected)
    weight = torch.randn_like(expected)
    torch.testing.assert_close(torch.autograd.grad(found, given, weight), torch.autograd.grad(expected, given, weight))


@ignores_jit
@cases
def test_every_derivative_is_right(activation, count, ndim):
    layer, inputs = built(count, ndim)

    def output(weight, bias, *inputs):
        return torch.func.functional_call(layer, {"weight": weight, "bias": bias}, inputs, {"activation": activation})

    given = (layer.weight, layer.bias, *inputs)
    assert gradcheck(output, given, check_forward_ad=True, check_batched_grad=True)
    assert gradgradcheck(output, given)


@ignores_jit
@cases
def test_transforms_of_torch_func_go_through_it(activation, count, ndim):
    layer, inputs = built(count, ndim)
    each = [x.detach() for x in inputs]

    def loss(*sample):
        return convolved(layer, activation, *(x[None] for x in sample)).square().sum()

    expected = torch.autograd.grad(layer(ACTIVATIONS[activation].function(*inputs)).square().sum(), inputs)
    torch.testing.assert_close(vmap(grad(loss))(*each), expected[0])
    _, tangent = jvp(lambda *x: convolved(layer, activation, *x).square().sum(), tuple(each), tuple(expected))
    torch.testing.assert_close(tangent, sum(x.square().sum() for x in expected))


@cases
def test_nothing_but_its_inputs_is_kept(activation, count, ndim):
    layer, inputs = built(count, ndim)
    sizes = []

    def kept(tensor):
        if tensor.numel() >= inputs[0].numel():
            sizes.append(tensor.numel())
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(kept, lambda tensor: tensor):
        convolved(layer, activation, *inputs)
    assert len(sizes) == count


@cases
def test_it_follows_autocast(activation, count, ndim):
    layer, inputs = built(count, ndim, torch.float32)
    exact = torch.autograd.grad(convolved(layer, activation, *inputs).square().sum(), [*inputs, layer.weight])
    with torch.autocast("cpu", torch.bfloat16):
        output = convolved(layer, activation, *inputs)
    assert output.dtype == torch.bfloat16
    found = torch.autograd.grad(output.float().square().sum(), [*inputs, layer.weight])
    assert all(x.dtype == torch.float32 for x in found)
    torch.testing.assert_close(found, exact, rtol=0.1, atol=0.1)


@cases
def test_hooks_of_the_convolution_take_part(activation, count, ndim):
    layer, inputs = built(count, ndim)
    layer.register_forward_hook(lambda module, given, output: 2 * output)
    torch.testing.assert_close(convolved(layer, activation, *inputs), layer(ACTIVATIONS[activation].function(*inputs)))
