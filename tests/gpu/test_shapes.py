"""Sizes that kernels and libraries treat apart."""

import pytest
import torch

import wavezoo
from tests.gpu.choices import CHANNELS, assert_near, every_operator, grid_of, results

pytestmark = pytest.mark.gpu

LAPLACIANS = ["spectral", "cosine", "sine"]
GRIDS = [(1,), (2,), (127,), (129,), (1, 1), (7, 13), (56, 56), (97, 101)]


@pytest.mark.parametrize("grid", GRIDS, ids=str)
@pytest.mark.parametrize("method", ["fft", "matmul"])
@pytest.mark.parametrize("laplacian", LAPLACIANS)
@pytest.mark.parametrize("preset", ["stepped", "closed_form"])
def test_any_grid_by_fft_and_by_product(preset, laplacian, method, grid, device):
    choice = {"name": laplacian, "method": method}
    torch.manual_seed(0)
    operator = wavezoo.create_operator(CHANNELS, len(grid), preset, laplacian=choice).double()
    x = torch.randn(2, CHANNELS, *grid, dtype=torch.float64)
    expected = results(operator, operator, x)
    operator = operator.float().to(device)
    assert_near(results(operator, operator, x.float().to(device)), expected, 2e-3)


@every_operator("store")
def test_batches_of_none_and_one(make, device):
    operator = make().to(device)
    for batch in (0, 1):
        assert operator(torch.zeros(batch, CHANNELS, *grid_of(operator), device=device)).shape[0] == batch


@pytest.mark.parametrize("laplacian", LAPLACIANS)
@pytest.mark.parametrize("preset", ["stepped", "closed_form"])
def test_more_fields_than_a_grid_of_blocks_holds(preset, laplacian, device):
    # CUDA launches at most 65,535 blocks along the second and third axis, where batches of products go.
    operator = wavezoo.create_operator(64, 2, preset, laplacian={"name": laplacian, "method": "matmul"}).to(device)
    x = torch.randn(1100, 64, 6, 5, device=device)
    with torch.no_grad():
        torch.testing.assert_close(operator(x)[-1:], operator(x[-1:]), rtol=1e-4, atol=1e-4)


@every_operator("store")
def test_views_and_offsets(make, device):
    operator = make().to(device)
    x = torch.randn(5, CHANNELS, *grid_of(operator), device=device)
    # Every second sample, from the second on: neither contiguous nor aligned.
    torch.testing.assert_close(operator(x[1::2]), operator(x[1::2].clone()), rtol=1e-4, atol=1e-5)
