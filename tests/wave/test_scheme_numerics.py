"""Numbers that single schemes got wrong once, or would if they were careless."""

import pytest
import torch

import wavezoo
from wavezoo.plugins.registry import registry
from wavezoo.wave import (
    Exact,
    ExponentialDamping,
    FiniteDifferenceLaplacian,
    GraphLaplacian,
    ImplicitMidpoint,
    NoDamping,
    SpectralLaplacian,
    VelocityVerlet,
    WaveSystem,
)
from wavezoo.wave.spectral.basis import BASES, method_on


def random(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def undamped(laplacian, u, speed_squared):
    return WaveSystem(laplacian.bind(u), speed_squared, NoDamping(1, 1), u.new_zeros(()))


@pytest.mark.parametrize("iterations", [1, 3])
@pytest.mark.parametrize("dt", [0.5, 3.0, 20.0])
def test_the_implicit_midpoint_has_the_gradient_of_what_it_computes_before_it_has_converged(dt, iterations):
    laplacian, u, v = SpectralLaplacian(1, 1), random(1, 1, 9), random(1, 1, 9, seed=1)

    def end(speed):
        moved, velocity = ImplicitMidpoint(iterations=iterations).advance(
            undamped(laplacian, u, speed.square()), u, v, dt, 2
        )
        return moved, velocity

    speed = (0.5 + random(1, 1, 9, seed=2).abs()).requires_grad_()
    assert torch.autograd.gradcheck(end, speed)


@pytest.mark.parametrize("size", [2, 3, 8, 24])
@pytest.mark.parametrize("courant", [1e2, 1e4, 1e6])
def test_the_implicit_midpoint_is_stable_in_float32_at_large_courant_numbers(size, courant):
    u = random(1, 1, size)
    u = (u - u.mean()).float()
    speed = courant * (0.5 + 0.5 * torch.rand(1, 1, size, generator=torch.Generator().manual_seed(0)))
    for iterations in (1, 8, 64):
        integrator = ImplicitMidpoint(iterations=iterations)
        end, _ = integrator.advance(undamped(SpectralLaplacian(1, 1), u, speed.square()), u, None, 1.0, 64)
        assert end.abs().max() <= 3 * u.abs().max()


@pytest.mark.parametrize("gamma", [1e3, 1e6, 1e9])
def test_the_exact_solution_holds_a_constant_still_however_strong_the_damping(gamma):
    u, one = torch.full((1, 1, 8), 0.7), torch.ones(1, 1, 1)
    laplacian = SpectralLaplacian(1, 1)
    system = WaveSystem(laplacian.bind(u), one, ExponentialDamping(1, 1), gamma * one, modes=lambda: laplacian.modes(u))
    torch.testing.assert_close(Exact().advance(system, u, None, 1.0, 4)[0], u)


@pytest.mark.parametrize("laplacian", ["spectral", "cosine", "sine"])
def test_products_in_bfloat16_do_not_go_with_the_promise_of_the_guard(laplacian):
    choice = {"name": laplacian, "method": "matmul", "product": "bfloat16"}
    with pytest.raises(wavezoo.WavezooError, match="self-adjoint"):
        wavezoo.create_operator(2, 2, laplacian=choice)
    wavezoo.create_operator(2, 2, laplacian=choice, courant_guard="off")


@pytest.mark.parametrize("boundary", BASES)
@pytest.mark.parametrize("method", ["fft", "matmul"])
def test_three_axes_are_three_axes(boundary, method):
    basis, u = BASES[boundary], random(1, 2, 4, 5, 6)
    expected = torch.zeros_like(u)
    for axis in (2, 3, 4):
        lines = u.movedim(axis, -1)
        flat = lines.flatten(0, -2).unsqueeze(1)
        expected += basis.second_derivatives(flat, method)(flat).view(lines.shape).movedim(-1, axis)
    torch.testing.assert_close(basis.second_derivatives(u, method)(u), expected)
    assert basis.squared_wave_numbers(u, "matmul").shape == (4, 5, 6)
    with pytest.raises(wavezoo.WavezooError, match="3 axes"):
        method_on((4, 5, 6), "auto")


@pytest.mark.parametrize("precision", ["high", "medium"])
def test_products_are_in_full_precision_whatever_torch_may_take(precision):
    u = random(2, 3, 16, 16).float().requires_grad_()
    laplacian = SpectralLaplacian(3, 2, method="matmul")

    def results():
        output = laplacian(u)
        return output, torch.autograd.grad(output.square().sum(), u)[0]

    former, expected = torch.get_float32_matmul_precision(), results()
    torch.set_float32_matmul_precision(precision)
    try:
        for one, other in zip(results(), expected, strict=True):
            torch.testing.assert_close(one, other, rtol=0, atol=0)
        assert torch.get_float32_matmul_precision() == precision
    finally:
        torch.set_float32_matmul_precision(former)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float32])
def test_a_graph_keeps_constants_and_its_weights_whatever_the_dtype_of_the_model(dtype):
    edges = [[0, each] for each in range(1, 258)]
    graph = GraphLaplacian(1, 1, edges=edges, weights=[1.1] * 257).to(dtype)
    u = torch.ones(1, 1, 258)
    assert not graph(u).any()
    u[..., 0] = 0
    torch.testing.assert_close(graph(u)[..., 0], torch.full((1, 1), 1.1 * 257), rtol=1e-5, atol=0)


@pytest.mark.slow
@pytest.mark.parametrize("grid", [(16,), (97,), (8, 8), (9, 11), (16, 16)])
@pytest.mark.parametrize("value", [1.0, 0.7])
@pytest.mark.parametrize("method", ["auto", "fft", "matmul", 2, 4, 6])
@pytest.mark.parametrize("laplacian", ["periodic", "reflecting"])
def test_a_constant_stays_for_10000_steps(laplacian, method, value, grid):
    scheme = registry.scheme("laplacians", {"periodic": "spectral", "reflecting": "cosine"}[laplacian])
    if isinstance(method, int):
        built = FiniteDifferenceLaplacian(1, len(grid), order=method, boundary=laplacian)
    else:
        built = scheme(1, len(grid), method=method)
    u = torch.full((1, 1, *grid), value)
    speed_squared = torch.tensor(0.9 * 4 / built.spectral_radius(grid))
    end, _ = VelocityVerlet().advance(undamped(built, u, speed_squared), u, None, 1.0, 10_000, False)
    assert (end / value - 1).abs().max() <= 0.1
