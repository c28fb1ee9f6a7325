"""A damping of one's own, Rayleigh's: the rate of every mode is ``γ (a + b |k|²)``, with learned a and b."""

import math

import torch
from torch import nn

from wavezoo.wave import ConstantField, CosineLaplacian, Damping, Requires, VelocityVerlet, WaveOperator, exact_kick


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


speed, damping_field = ConstantField(8, 1, initial=0.7), ConstantField(8, 1, initial=0.1)
operator = WaveOperator(8, CosineLaplacian(8, 1), VelocityVerlet(), speed, Rayleigh(8, 1), damping_field)
