"""What a model has to know of data before it sees any.

Shapes: M samples; images of height H and width W with C channels, ``(M, H, W, C)``, uint8 or float32; sequences of F
features ``(M, N, F)``, float32, or M runs of token ids of different lengths.
"""

from dataclasses import dataclass
from typing import Literal

# What is to be found for a sample: its class ``(M,)``, the class of each of its cells ``(M, *grid)``, the values of a
# field there ``(M, target_channels, *grid)``, how far it is to each cell ``(M, *grid)``, inf where no path leads and
# NaN where there is no cell, or the token that follows each of its tokens ``(M, N)``.
Target = Literal["class", "class_map", "field", "distance", "next_token"]


@dataclass(frozen=True)
class ImageFacts:
    """What a model has to know of a set of images.

    Attributes:
        classes: names of the classes, in the order of their labels; empty for fields.
        channels: number of image channels C.
        size: side of the square images, in pixels.
        mean: mean of each channel, as used for normalisation; bytes are scaled to 0 to 1 before.
        std: standard deviation, likewise.
        target: what is to be found.
        target_channels: channels of a field that is to be found; None for classes.
        tokens: whether a sequence model reads the pixels, of one channel, as 256 token ids, not as numbers.
    """

    classes: tuple[str, ...]
    channels: int
    size: int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    target: Target = "class"
    target_channels: int | None = None
    tokens: bool = False

    @property
    def grid(self) -> tuple[int, ...]:
        """Return the cells along each axis."""
        return (self.size, self.size)


@dataclass(frozen=True)
class SequenceFacts:
    """What a model has to know of a set of sequences.

    Attributes:
        classes: names of the classes, in the order of their labels; empty for fields.
        features: features F of each element; None for token ids.
        vocabulary: number of token ids; None for features.
        length: the greatest length N.
        target: what is to be found.
        target_channels: channels of a field that is to be found; None for classes.
    """

    classes: tuple[str, ...]
    features: int | None
    vocabulary: int | None
    length: int
    target: Target = "class"
    target_channels: int | None = None

    @property
    def grid(self) -> tuple[int, ...]:
        """Return the cells along each axis."""
        return (self.length,)


@dataclass(frozen=True)
class TextFacts:
    """What a model has to know of a corpus that it learns to continue.

    Attributes:
        vocabulary: number of token ids.
        length: tokens N of a window.
        tokenizer: what makes tokens of text, as `Tokenizer.to_json` writes it.
        unit: what the corpus is counted in, ``"byte"``, ``"character"`` or ``"word"``.
        units_per_token: how many of those a token stands for on the average, by split.
        target: what is to be found.
        classes: none.
    """

    vocabulary: int
    length: int
    tokenizer: str
    unit: Literal["byte", "character", "word"]
    units_per_token: dict[str, float]
    target: Literal["next_token"] = "next_token"
    classes: tuple[str, ...] = ()

    @property
    def grid(self) -> tuple[int, ...]:
        """Return the cells along each axis."""
        return (self.length,)


Facts = ImageFacts | SequenceFacts | TextFacts
