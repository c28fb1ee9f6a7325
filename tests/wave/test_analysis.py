import math

import pytest
import torch

import wavezoo
from wavezoo.wave.analysis import dispersion, energy_drift


def operator(**choices):
    return wavezoo.create_operator(2, 1, damping="none", speed={"name": "constant", "initial": 0.5}, **choices)


def test_velocity_verlet_has_its_known_dispersion():
    found = dispersion(operator(), (32,), courant=0.3)
    assert found.exact.shape == (32,)
    torch.testing.assert_close(found.numerical, 2 * (found.exact / 2).asin())
    torch.testing.assert_close(found.amplification, torch.ones(32, dtype=torch.float64))


def test_finite_differences_are_measured_against_the_true_wave_equation():
    second, sixth = (
        dispersion(operator(integrator="exact", laplacian={"name": "finite_difference", "order": order}), (32,), 0.1)
        for order in (2, 6)
    )
    k = second.exact / 0.1
    torch.testing.assert_close(second.numerical, 0.1 * 2 * (k / 2).sin())
    assert (sixth.error.abs() <= second.error.abs() + 1e-12).all()


@pytest.mark.parametrize("laplacian", ["spectral", "cosine", "sine"])
def test_the_exact_integrator_has_no_dispersion(laplacian):
    found = dispersion(operator(integrator="exact", laplacian=laplacian), (16,), courant=0.3)
    assert found.error.abs().max() < 1e-6


def test_a_potential_raises_every_frequency():
    found = dispersion(
        operator(potential={"name": "klein_gordon", "mass": 0.4}, integrator="exact", dt=0.5), (16,), 0.2
    )
    assert math.isclose(found.exact.min().item(), 0.4 * 0.5, rel_tol=1e-6)
    torch.testing.assert_close(found.numerical, found.exact)


def test_graphs_have_frequencies_too():
    ring = {"name": "graph", "edges": [[i, (i + 1) % 8] for i in range(8)]}
    found = dispersion(operator(laplacian=ring), (8,), courant=0.3)
    torch.testing.assert_close(found.exact.max(), torch.tensor(0.6, dtype=torch.float64))


def test_bad_questions_about_dispersion():
    with pytest.raises(wavezoo.WavezooError, match="courant is 0"):
        dispersion(operator(), (8,), courant=0.0)
    with pytest.raises(wavezoo.WavezooError, match="not quadratic"):
        dispersion(operator(potential="sine_gordon"), (8,))


def test_energy_drifts_with_runge_kutta_and_not_with_velocity_verlet():
    x = torch.randn(2, 2, 32, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    verlet, runge_kutta = (
        energy_drift(operator(integrator=name, dt=0.6).double(), x) for name in ("velocity_verlet", "rk4")
    )
    assert verlet.times[-1] == 1000
    assert verlet.relative.shape == (101, 2)
    assert (verlet.slope.abs() < 1e-5).all()
    assert (runge_kutta.slope < -1e-4).all()
    assert (runge_kutta.swing > 10 * verlet.slope.abs() * 1000).all()
