"""Where a causal model of sequences was left."""

from typing import NamedTuple

from wavezoo.nn.carried import State


class SequenceState(NamedTuple):
    """Where a causal model was left.

    Attributes:
        position: number of elements so far.
        blocks: the state of each block, tensors with the batch first.
    """

    position: int
    blocks: tuple[State, ...]
