import pytest
import torch

from wavezoo.wave.spectral import filters, superposition
from wavezoo.wave.spectral.filters import filtered
from wavezoo.wave.spectral.oscillator import propagator
from wavezoo.wave.spectral.superposition import superposed


def random(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).requires_grad_()


def oscillators(gamma):
    """Overdamped, critical and oscillating modes, seen from below a period to many."""
    omega_squared = torch.tensor([0.0, 1e-4, 0.04, 0.3, 9.0], dtype=torch.float64).expand(1, 2, 5).clone()
    times = torch.tensor([[0.3, 2.0, 40.0], [0.1, 1.0, 9.0]], dtype=torch.float64)
    rates = torch.full((1, 2, 1), gamma, dtype=torch.float64)
    given = [each.requires_grad_() for each in (omega_squared, rates, times)]
    return *given, random(2, 1, 3), random(2, 2, 3, seed=1)


# Forward mode warns of what torch itself does.
pytestmark = pytest.mark.filterwarnings("ignore:`torch.jit.script` is deprecated:FutureWarning")


def derivatives_hold(function, inputs):
    assert torch.autograd.gradcheck(function, inputs, check_forward_ad=True, check_batched_grad=True)
    assert torch.autograd.gradgradcheck(function, inputs)


@pytest.mark.parametrize("gamma", [0.1, 0.4])
@pytest.mark.parametrize("size", [1, 2**16])
def test_a_superposition_is_the_sum_of_single_motions_in_every_slicing(monkeypatch, size, gamma):
    monkeypatch.setattr(superposition, "SLICE", size)
    omega_squared, rates, times, of_cosine, of_sine = given = oscillators(gamma)
    exact = propagator(omega_squared[:, :, None], rates[:, :, None], times[..., None])
    expected = of_cosine @ (exact.uu - rates[:, :, None] / 2 * exact.uv), of_sine @ exact.uv
    torch.testing.assert_close(superposed(*given), expected, rtol=1e-10, atol=1e-10)


def test_a_superposition_has_every_derivative():
    derivatives_hold(superposed, oscillators(0.1))


@pytest.mark.parametrize("directed", [False, True])
@pytest.mark.parametrize("rows", [1, 2])
@pytest.mark.parametrize("grid", [(5,), (3, 4)], ids=str)
def test_a_filter_is_a_product_between_transforms_with_every_derivative(monkeypatch, grid, rows, directed):
    monkeypatch.setattr(filters, "SLICE", 1)
    wide = tuple(2 * size for size in grid)
    modes = (rows, 2, *wide[:-1], wide[-1] // 2 + 1)
    u, real, imaginary = random(2, 2, *grid), random(*modes), random(*modes, seed=1) if directed else None
    axes = tuple(range(2, u.ndim))
    by = torch.complex(real, torch.zeros_like(real) if imaginary is None else imaginary)
    expected = torch.fft.irfftn(torch.fft.rfftn(u, s=wide, dim=axes) * by, s=wide, dim=axes)
    inner = expected[(..., *(slice(size) for size in grid))]
    torch.testing.assert_close(filtered(u, real, imaginary, wide), inner)
    last = u.movedim(1, -1).contiguous().movedim(-1, 1)
    torch.testing.assert_close(filtered(last, real, imaginary, wide), inner)
    inputs = [each for each in (u, real, imaginary) if each is not None]
    derivatives_hold(lambda u, real, imaginary=None: filtered(u, real, imaginary, wide), inputs)
