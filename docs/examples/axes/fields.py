"""A field of one's own: a speed that falls with the loudness of the input."""

import torch
from torch import nn

from wavezoo.wave import ParameterField, SpectralLaplacian, VelocityVerlet, WaveOperator


class LoudIsSlow(ParameterField):
    depends_on_input, depends_on_position, causal, varies_in_space = True, False, True, True

    def __init__(self, channels, ndim, *, initial, maximum=None):
        super().__init__(channels, ndim, initial=initial, maximum=maximum)
        self.slope = nn.Parameter(torch.empty(channels, *[1] * ndim))
        self.reset_parameters()

    def reset_parameters(self):
        nn.init.ones_(self.slope)

    def forward(self, x):
        return self.link(self.unlinked(self.initial) - self.slope * x.square())


operator = WaveOperator(8, SpectralLaplacian(8, 1), VelocityVerlet(), speed=LoudIsSlow(8, 1, initial=0.7))
