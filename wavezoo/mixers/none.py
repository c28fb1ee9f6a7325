"""No mixer."""

from typing import overload

from torch import Tensor

from wavezoo.mixers.recurrent import RecurrentMixer, State


class NoMixer(RecurrentMixer):
    """What comes in: no mixing of positions beyond the small depthwise convolution of the block.

    Args:
        causal: let no position depend on later ones, which holds anyway.
    """

    causality = "always"
    projects = False

    def initial_state(self, batch: int) -> State:
        return ()

    @overload
    def forward(self, x: Tensor) -> Tensor: ...

    @overload
    def forward(self, x: Tensor, state: State) -> tuple[Tensor, State]: ...

    def forward(self, x: Tensor, state: State | None = None) -> Tensor | tuple[Tensor, State]:
        return x if state is None else (x, state)
