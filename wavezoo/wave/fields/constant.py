"""One value per channel."""

import math

import torch
from torch import Tensor, nn

from wavezoo.errors import WavezooError
from wavezoo.wave.fields.base import ParameterField


class ConstantField(ParameterField):
    """One learned value per channel: a medium that is the same everywhere and for every input.

    Equation: ``c = softplus(w)``, ``w`` of shape ``(C,)``.

    Args:
        initial: the value of a fresh field; in cells / time for a speed, 1 / time for a damping.
        maximum: a bound on the values, by a sigmoid in place of the softplus; None for no bound.
        spread: fresh channels reach from ``initial / spread`` to ``initial * spread``, evenly in their logarithm.

    Raises:
        WavezooError: if ``spread`` is less than 1, not finite, or takes ``initial * spread`` to ``maximum``.
    """

    depends_on_input = False
    depends_on_position = False
    causal = True
    varies_in_space = False
    variants = ({"maximum": 4.0}, {"spread": 4.5})

    def __init__(
        self, channels: int, ndim: int, *, initial: float, maximum: float | None = None, spread: float = 1.0
    ) -> None:
        super().__init__(channels, ndim, initial=initial, maximum=maximum)
        if not 1 <= spread < math.inf:
            raise WavezooError(f"spread is {spread!r}; give a finite number, at least 1.")
        if maximum is not None and not initial * spread < maximum:
            raise WavezooError(
                f"spread is {spread!r}, which takes the initial {initial} to {initial * spread:g}, not below the "
                f"maximum {maximum}; give a spread below {maximum / initial:g}, or a greater maximum."
            )
        self.spread = spread
        self.weight = nn.Parameter(torch.empty(channels))
        self.reset_parameters()

    @property
    def largest_initial(self) -> float:
        return self.initial * (self.spread if len(self.weight) > 1 else 1.0)

    def reset_parameters(self) -> None:
        reach = math.log(self.spread)
        last = max(len(self.weight) - 1, 1)
        values = [self.initial * math.exp(reach * (2 * i - last) / last) for i in range(len(self.weight))]
        if len(values) == 1:
            values = [self.initial]
        with torch.no_grad():
            self.weight.copy_(torch.tensor([self.unlinked(value) for value in values]))

    def forward(self, x: Tensor) -> Tensor:
        return self.link(self.weight).view(1, -1, *[1] * self.ndim)
