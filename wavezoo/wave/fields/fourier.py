"""A smooth random-feature field of the position."""

import math

import torch
from torch import Tensor, nn

from wavezoo.errors import WavezooError, require_positive
from wavezoo.wave.fields.base import ParameterField
from wavezoo.wave.scheme import Grid


class FourierField(ParameterField):
    """A smooth function of the position in units of the whole grid: finer grids sample the same medium more finely.

    Equation (random Fourier features, Rahimi and Recht 2007)::

        c(x) = softplus(w cos(2 pi f x) + w' sin(2 pi f x) + b)

    with x from 0 to 1 along each axis and fixed random frequencies f, normal with standard deviation ``bandwidth``.

    Args:
        initial: the value of a fresh field; in cells / time for a speed, 1 / time for a damping.
        maximum: a bound on the values, by a sigmoid in place of the softplus; None for no bound.
        features: number of frequencies.
        bandwidth: their standard deviation, in cycles over the whole grid.

    Raises:
        WavezooError: if ``features`` is less than 1 or ``bandwidth`` not positive.
    """

    depends_on_input = False
    depends_on_position = True
    causal = True
    varies_in_space = True
    variants = ({"maximum": 4.0},)

    frequencies: Tensor

    def __init__(
        self,
        channels: int,
        ndim: int,
        *,
        initial: float,
        maximum: float | None = None,
        features: int = 16,
        bandwidth: float = 2.0,
    ) -> None:
        super().__init__(channels, ndim, initial=initial, maximum=maximum)
        if features < 1:
            raise WavezooError(f"features is {features!r}; give a number of frequencies, at least 1.")
        require_positive("bandwidth", bandwidth)
        self.bandwidth = bandwidth
        self.register_buffer("frequencies", torch.empty(ndim, features))
        self.weight = nn.Parameter(torch.empty(channels, 2 * features))
        self.bias = nn.Parameter(torch.empty(channels))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        nn.init.normal_(self.frequencies, std=self.bandwidth)
        nn.init.zeros_(self.weight)
        nn.init.constant_(self.bias, self.unlinked(self.initial))

    def forward(self, x: Tensor) -> Tensor:
        angles = self._positions(x.shape[2:]) @ self.frequencies * (2 * math.pi)
        features = torch.cat([angles.cos(), angles.sin()], -1)
        return self.link(nn.functional.linear(features, self.weight, self.bias)).movedim(-1, 0).unsqueeze(0)

    def _positions(self, grid: Grid) -> Tensor:
        """Return the centres of the cells, shape ``(*G, ndim)``."""
        like = self.frequencies
        axes = [(torch.arange(size, device=like.device) + 0.5).to(like.dtype) / size for size in grid]
        return torch.stack(torch.meshgrid(*axes, indexing="ij"), -1)
