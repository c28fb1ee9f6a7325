"""The contract of mixers that can go on from a state.

Shapes: B batch, C channels, N length; channels first.
"""

from abc import abstractmethod
from typing import overload

from torch import Tensor

from wavezoo.errors import WavezooError
from wavezoo.mixers.base import Mixer
from wavezoo.nn.carried import State


class RecurrentMixer(Mixer):
    """A mixer that, built causal, can be run piece by piece: what it needs of the past is a state.

    A sequence that is cut anywhere gives what it gives whole::

        y, state = mixer(x[..., :n], mixer.initial_state(len(x)))
        y_n, state = mixer.step(x[..., n], state)

    Attributes:
        state_grows: whether the state grows with the positions that it has seen.
    """

    state_grows: bool = False

    @abstractmethod
    def initial_state(self, batch: int) -> State:
        """Return the state before the first position, on device and in dtype of the parameters.

        Raises:
            WavezooError: unless it was built causal.
        """

    @overload
    def forward(self, x: Tensor) -> Tensor: ...

    @overload
    def forward(self, x: Tensor, state: State) -> tuple[Tensor, State]: ...

    @abstractmethod
    def forward(self, x: Tensor, state: State | None = None) -> Tensor | tuple[Tensor, State]:
        """Map ``x`` of shape ``(B, C, *G)`` to the same shape, and given a state, also return the state after ``x``."""

    def step(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        """Map one position ``(B, C)`` to the same shape, and the state before it to that after it."""
        y, state = self(x.unsqueeze(-1), state)
        return y.squeeze(-1), state

    def _require_causal(self) -> None:
        if not self.causal:
            raise WavezooError(
                f"this {type(self).__name__} is not causal, and has no state to go on from: every position sees later "
                "ones. Build it with causal=True."
            )
