"""A compiled operator has the gradients of one that is not, whatever the Laplacian."""

import pytest
import torch

import wavezoo
from wavezoo.plugins.registry import registry
from wavezoo.testing.conformance import cases


@pytest.mark.parametrize("name", registry.schemes("laplacians"))
def test_gradients_under_every_laplacian(name):
    scheme = registry.scheme("laplacians", name)
    options = cases(scheme)[0]
    ndim = min(scheme.ndims)
    torch.manual_seed(0)
    preset = "stepped" if scheme.steppable else "closed_form"
    operator = wavezoo.create_operator(2, ndim, preset, laplacian={"name": name, **options}).double()
    x = torch.randn(2, 2, *(operator.laplacian.fixed_grid or (6, 5)[:ndim]), dtype=torch.float64, requires_grad=True)
    weights = torch.randn_like(x)
    torch._dynamo.reset()
    # A backend without kernels of its own, which keeps to the memory that the tracer foresaw.
    compiled = torch.compile(operator, fullgraph=True, backend="aot_eager")
    leaves = [x, *operator.parameters()]
    expected, actual = (
        torch.autograd.grad((each(x) * weights).sum(), leaves, materialize_grads=True) for each in (operator, compiled)
    )
    torch.testing.assert_close(actual, expected)
