"""What a model is to the harness: how it is built, and what it maps to what."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, get_args

from torch import nn

from wavezoo.errors import require_choice

Kind = Literal["image", "sequence", "dense", "language"]
# What reads sequences, not images.
SEQUENTIAL: tuple[Kind, ...] = ("sequence", "language")
MODEL_KINDS: tuple[str, ...] = get_args(Kind)


@dataclass(frozen=True)
class ModelEntry:
    """A model by name.

    Attributes:
        build: builds it from keyword arguments. An ``"image"`` model takes ``in_chans`` and ``num_classes`` and maps
            images ``(B, in_chans, H, W)`` to ``(B, num_classes)``. A ``"dense"`` one takes the same and maps to
            ``(B, num_classes, H, W)``. A ``"sequence"`` model takes ``in_features`` or ``vocab_size``, and
            ``num_classes``, and maps ``(B, N, in_features)`` or token ids ``(B, N)`` to ``(B, num_classes)``, or to
            ``(B, N, num_classes)`` with ``global_pool=""``. A ``"language"`` model takes ``vocab_size`` and maps token
            ids ``(B, N)`` to logits of the token that follows each, ``(B, N, vocab_size)``.
        kind: ``"image"``, ``"sequence"``, ``"dense"`` or ``"language"``.
        description: what it is, in a sentence.
        constructor: what the keyword arguments are those of, if ``build`` hands them on.

    Raises:
        WavezooError: if there is no such kind.
    """

    build: Callable[..., nn.Module]
    kind: Kind
    description: str
    constructor: Callable[..., object] | None = None

    def __post_init__(self) -> None:
        require_choice("kind of a model", self.kind, MODEL_KINDS)
