"""Precision, compiling and exporting, point by point of the timm contract."""

import warnings

import pytest
import torch
from timm_models import CLASSES, OURS, TWO_STAGES, both, compiled, create, images, ours, train_step

# Precision


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@both
def test_autocast(name, dtype):
    model, x = create(name).eval(), images()
    with torch.autocast("cpu", dtype=dtype):
        lowered = model(x)
    assert lowered.isfinite().all()
    # Rounding adds up over some dozens of layers.
    assert (lowered.float() - model(x)).norm() <= 8 * torch.finfo(dtype).eps * model(x).norm()
    optimizer = torch.optim.SGD(model.parameters(), 1e-3)
    with torch.autocast("cpu", dtype=dtype):
        assert train_step(model, optimizer=optimizer).isfinite()
    assert all(each.isfinite().all() for each in model.parameters())


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float64])
@both
def test_runs_in_other_dtypes(name, dtype):
    model = create(name, dtype=dtype)
    assert model(images(dtype=dtype)).dtype == dtype
    assert train_step(model, images(dtype=dtype)).isfinite()


@ours
def test_the_gradient_is_right(name):
    model = create(name, dtype=torch.float64).eval()
    x = images(1, 3, 32, 32, dtype=torch.float64).requires_grad_()
    direction = images(1, 3, 32, 32, seed=1, dtype=torch.float64)
    weight = images(1, CLASSES, seed=2, dtype=torch.float64)
    (slope,) = torch.autograd.grad((model(x) * weight).sum(), x)
    with torch.no_grad():
        step = 1e-5
        ends = [(model(x + sign * step * direction) * weight).sum() for sign in (1, -1)]
    torch.testing.assert_close((slope * direction).sum(), (ends[0] - ends[1]) / (2 * step), rtol=1e-6, atol=1e-8)


# Leaving


@pytest.mark.parametrize("backend", ["aot_eager", pytest.param("inductor", marks=pytest.mark.slow)])
@compiled
def test_compiles_to_one_graph(name, backend):
    torch._dynamo.reset()
    model, x = create(name, **(TWO_STAGES if name in OURS else {})).eval(), images()
    compiled = torch.compile(model, fullgraph=True, backend=backend)
    torch.testing.assert_close(compiled(x), model(x), rtol=1e-4, atol=1e-5)
    train_step(compiled)


@pytest.mark.slow
@both
def test_no_recompilation_storm_over_sizes(name):
    torch._dynamo.reset()
    graphs = []

    def count(graph, inputs):
        graphs.append(graph)
        return graph.forward

    compiled = torch.compile(create(name).eval(), backend=count, fullgraph=True)
    for batch, height, width in ((2, 64, 64), (3, 96, 64), (2, 64, 128), (4, 160, 96), (2, 70, 90), (5, 99, 131)):
        compiled(images(batch, 3, height, width))
    assert len(graphs) <= 3


@compiled
def test_exports(name):
    model, x = create(name, **(TWO_STAGES if name in OURS else {})).eval(), images()
    exported = torch.export.export(model, (x,)).module()
    torch.testing.assert_close(exported(x), model(x), rtol=1e-4, atol=1e-5)
    batch = torch.export.Dim("batch", min=2, max=64)
    exported = torch.export.export(model, (x,), dynamic_shapes=({0: batch},)).module()
    torch.testing.assert_close(exported(images(5, 3, 64, 64)), model(images(5, 3, 64, 64)), rtol=1e-4, atol=1e-5)


@both
def test_traces(name):
    model, x = create(name).eval(), images()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        traced = torch.jit.trace(model, x)
    torch.testing.assert_close(traced(x), model(x), rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(traced(images(5, 3, 64, 64)), model(images(5, 3, 64, 64)), rtol=1e-4, atol=1e-5)
