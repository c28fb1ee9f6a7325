"""The contract of parameter fields.

Shapes: B batch, C channels, ``*G`` grid, ``(N,)`` or ``(H, W)``; channels first. The grid spacing is one cell; times
are in whatever unit ``dt`` is in, speeds in cells per that unit, damping in its inverse.
"""

import math
from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn

from wavezoo.errors import WavezooError, require_positive, require_whole
from wavezoo.wave.scheme import Scheme
from wavezoo.wave.softplus import inverse_softplus, softplus


class ParameterField(Scheme, nn.Module, ABC):
    """A positive coefficient of the wave equation, as a function of the layer's input.

    Args:
        channels: number of channels C.
        ndim: number of grid axes.
        initial: the value that a fresh field has in the middle of a grid where its input is zero, the geometric mean
            over channels where they differ; in cells / time for a speed, 1 / time for a damping.
        maximum: a bound on the values, which turns the link from a softplus, as published, into a sigmoid times the
            bound; None for no bound.

    Raises:
        WavezooError: if ``initial`` is not positive, or not below ``maximum``.

    Attributes:
        depends_on_input: whether the value depends on the input.
        depends_on_position: whether the value depends on the position by itself, whatever the input.
        causal: whether the value at a position depends on the input at positions up to it only.
        varies_in_space: whether the value can differ from position to position.
    """

    depends_on_input: bool
    depends_on_position: bool
    causal: bool
    varies_in_space: bool

    def __init__(self, channels: int, ndim: int, *, initial: float, maximum: float | None = None) -> None:
        super().__init__()
        require_positive("initial value of a field", initial)
        if maximum is not None and not initial < maximum < math.inf:
            raise WavezooError(f"maximum of a field is {maximum!r}; give a finite number above its initial {initial}.")
        self.channels = require_whole("channels", channels)
        self.ndim = ndim
        self.initial = initial
        self.maximum = maximum

    @abstractmethod
    def forward(self, x: Tensor) -> Tensor:
        """Return positive values broadcastable to ``x`` of shape ``(B, C, *G)``."""

    @property
    def largest_initial(self) -> float:
        """The value of a fresh field in its fastest channel."""
        return self.initial

    def set_grid_spacing(self, spacing: float) -> None:
        """Say how far apart two cells are, in units of that in training; for a field that looks at neighbours."""

    def link(self, raw: Tensor) -> Tensor:
        """Map any real number to a positive one, below ``maximum`` if there is one."""
        if self.maximum is None:
            return softplus(raw)
        return self.maximum * torch.sigmoid(raw)

    def unlinked(self, value: float) -> float:
        """Return the number that `link` maps to ``value``."""
        if self.maximum is None:
            return inverse_softplus(value)
        return math.log(value / (self.maximum - value))
