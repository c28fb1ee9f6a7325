"""One value per channel."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from wavezoo.contracts import ParameterField
from wavezoo.layers import inverse_softplus


class ConstantField(ParameterField):
    """One learned value per channel: a medium that is the same everywhere and for every input.

    Equation: ``c = softplus(w)``, ``w`` of shape ``(C,)``.

    Args:
        initial: the value of a fresh field; in cells / time for a speed, 1 / time for a damping.
    """

    depends_on_input = False
    depends_on_position = False

    def __init__(self, channels: int, ndim: int, *, initial: float) -> None:
        super().__init__(channels, ndim, initial=initial)
        self.weight = nn.Parameter(torch.full((channels,), inverse_softplus(initial)))

    def forward(self, x: Tensor) -> Tensor:
        return F.softplus(self.weight).view(1, -1, *[1] * self.ndim)
