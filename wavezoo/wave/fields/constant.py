"""One value per channel."""

import torch
from torch import Tensor, nn

from wavezoo.wave.fields.base import ParameterField


class ConstantField(ParameterField):
    """One learned value per channel: a medium that is the same everywhere and for every input.

    Equation: ``c = softplus(w)``, ``w`` of shape ``(C,)``.

    Args:
        initial: the value of a fresh field; in cells / time for a speed, 1 / time for a damping.
        maximum: a bound on the values, by a sigmoid in place of the softplus; None for no bound.
    """

    depends_on_input = False
    depends_on_position = False
    causal = True
    varies_in_space = False
    variants = ({"maximum": 4.0},)

    def __init__(self, channels: int, ndim: int, *, initial: float, maximum: float | None = None) -> None:
        super().__init__(channels, ndim, initial=initial, maximum=maximum)
        self.weight = nn.Parameter(torch.empty(channels))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        nn.init.constant_(self.weight, self.unlinked(self.initial))

    def forward(self, x: Tensor) -> Tensor:
        return self.link(self.weight).view(1, -1, *[1] * self.ndim)
