"""A damping that learns and acts on every mode by itself keeps the contract, and can be held to it."""

import math

import pytest
import torch
from torch import nn

import wavezoo.testing
from wavezoo.wave import Damping, Requires, exact_kick


class Rayleigh(Damping):
    order, gamma_dt_limit, stability_factor, reversible, uses_gamma = 2, math.inf, 1.0, True, True
    exact_decay, in_modes, causal = True, True, False
    requires = Requires(modes=True, uniform_speed=True, uniform_damping=True)

    def __init__(self, channels, ndim):
        super().__init__(channels, ndim)
        self.weight = nn.Parameter(torch.empty(2, channels, *[1] * ndim))
        self.reset_parameters()

    def reset_parameters(self):
        nn.init.constant_(self.weight, 0.5)

    def rate(self, gamma, eigenvalues):
        a, b = nn.functional.softplus(self.weight.to(gamma.dtype))
        return gamma * (a - b * eigenvalues)

    def opening(self, rate, dt):
        return exact_kick(rate, dt)

    def closing(self, rate, dt):
        return exact_kick(rate, dt)


@pytest.mark.parametrize("check", wavezoo.testing.checks(Rayleigh))
def test_rayleigh_damping_keeps_the_contract(check):
    check()


def test_its_numbers_can_be_measured():
    assert abs(wavezoo.testing.measure(Rayleigh)["order"] - 2) < 0.1
    verlet = wavezoo.testing.measure(wavezoo.wave.VelocityVerlet)
    assert abs(verlet["stability_limit"] - 2) < 1e-3
    assert verlet["gamma_dt_limit"] == math.inf
    assert abs(wavezoo.testing.measure(wavezoo.wave.SpectralLaplacian)["spectral_radius"] - math.pi**2) < 1e-9
