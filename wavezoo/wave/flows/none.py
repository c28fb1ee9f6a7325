"""A medium at rest."""

from torch import Tensor

from wavezoo.wave.flows.base import Flow


class NoFlow(Flow):
    """A medium at rest, as published.

    Equation: the field stays where it is.
    """

    moves = False

    def carry(self, u: Tensor, time: Tensor) -> Tensor:
        return u
