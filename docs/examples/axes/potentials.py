"""A potential of one's own: wells at ``±pi/k`` and a hill between, so that the wave chooses a side everywhere."""

import torch
from torch import nn

from wavezoo.wave import Potential, SpectralLaplacian, VelocityVerlet, WaveOperator


class DoubleWell(Potential):
    quadratic, bounded_stiffness = False, True

    def __init__(self, channels, ndim):
        super().__init__(channels, ndim)
        self.k = nn.Parameter(torch.empty(channels, *[1] * ndim))
        self.reset_parameters()

    def reset_parameters(self):
        nn.init.constant_(self.k, 2.0)

    def energy(self, u):
        return ((self.k * u).cos() - 1) / self.k.square()

    def force(self, u):
        return (self.k * u).sin() / self.k

    def stiffness(self, u):
        return torch.ones_like(u[:1])


operator = WaveOperator(8, SpectralLaplacian(8, 1), VelocityVerlet(), potential=DoubleWell(8, 1))
