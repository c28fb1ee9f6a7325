"""A Laplacian of one's own: differences to the neighbours, with a learned weight for each channel."""

import torch
from torch import nn

from wavezoo.wave import Laplacian, VelocityVerlet, WaveOperator


class WeightedDifferences(Laplacian):
    ndims, boundary, causal, self_adjoint, order = (1,), "periodic", False, True, 2

    def __init__(self, channels, ndim):
        super().__init__(channels, ndim)
        self.weight = nn.Parameter(torch.empty(channels, 1))
        self.reset_parameters()

    def reset_parameters(self):
        nn.init.ones_(self.weight)

    def bind(self, u):
        weight = self.weight.to(u.dtype).square()
        return lambda u: weight * ((u.roll(1, -1) - u) + (u.roll(-1, -1) - u))

    def spectral_radius(self, grid):
        return 4 * self.weight.flatten().square()


operator = WaveOperator(8, WeightedDifferences(8, 1), VelocityVerlet())
