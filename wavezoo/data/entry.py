"""What a data set is: its facts, its splits, and where a recipe says to find it.

Shapes: M samples; images of height H and width W with C channels, ``(M, H, W, C)``, uint8; sequences of F features
``(M, N, F)``, float32, or M runs of token ids of different lengths.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from wavezoo.errors import WavezooError, nearest_first

SPLITS = ("train", "validation", "test")


@dataclass(frozen=True)
class ImageFacts:
    """What a model has to know of a set of images.

    Attributes:
        classes: names of the classes, in the order of their labels.
        channels: number of image channels C.
        size: side of the square images, in pixels.
        mean: mean of each channel, scaled to 0 to 1, as used for normalisation.
        std: standard deviation, likewise.
    """

    classes: tuple[str, ...]
    channels: int
    size: int
    mean: tuple[float, ...]
    std: tuple[float, ...]


@dataclass(frozen=True)
class SequenceFacts:
    """What a model has to know of a set of sequences.

    Attributes:
        classes: names of the classes, in the order of their labels.
        features: features F of each element; None for token ids.
        vocabulary: number of token ids; None for features.
        length: the greatest length N.
    """

    classes: tuple[str, ...]
    features: int | None
    vocabulary: int | None
    length: int


Facts = ImageFacts | SequenceFacts


@dataclass(frozen=True)
class TokenRuns:
    """Token ids of M sequences of different lengths, one after the other.

    Attributes:
        tokens: all tokens, ``(sum of lengths,)``.
        ends: where each sequence ends, ``(M,)``.
    """

    tokens: np.ndarray
    ends: np.ndarray

    @classmethod
    def joined(cls, runs: list[np.ndarray]) -> "TokenRuns":
        """Join single sequences ``(N,)``."""
        empty = np.zeros(0, np.int64)
        return cls(np.concatenate(runs) if runs else empty, np.cumsum([len(run) for run in runs], dtype=np.int64))

    def __len__(self) -> int:
        return len(self.ends)

    def __getitem__(self, index: int) -> np.ndarray:
        return self.tokens[self.ends[index - 1] if index else 0 : self.ends[index]]


@dataclass(frozen=True)
class Split:
    """Inputs of M samples and their labels ``(M,)``, int64."""

    inputs: np.ndarray | TokenRuns
    labels: np.ndarray

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True)
class Splits:
    """The splits of a data set; ``validation`` is None where there is none."""

    train: Split
    test: Split
    validation: Split | None = None


@dataclass(frozen=True)
class DataSource:
    """Where a data set is found, and what is read of it.

    Attributes:
        path: a local copy; None for the source that the entry names.
        limit_samples: read that many samples of each split at most, evenly spaced over it.
        partial: accept a copy with other counts than those published.
        columns: names of columns in place of the entry's.
        options: what only some data sets take.
    """

    path: str | None = None
    limit_samples: int | None = None
    partial: bool = False
    columns: Mapping[str, str] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)

    def chosen(self, count: int) -> np.ndarray:
        """Return which of ``count`` samples are read: evenly spaced, so that samples sorted by class stay balanced."""
        if self.limit_samples is None or self.limit_samples >= count:
            return np.arange(count)
        return np.arange(self.limit_samples) * count // self.limit_samples


@dataclass(frozen=True)
class DatasetEntry:
    """A named data set.

    Attributes:
        name: its name in recipes.
        description: source, licence, splits, and how to get it without a network.
        facts: its facts, or a function that finds them at a source.
        load: reads it.
        counts: samples of each published split.
        options: names of the keys of a recipe's data section that it takes besides those that all do.
        columns: names of the columns it reads, by what they hold; empty where there are none to map.
    """

    name: str
    description: str
    facts: Facts | Callable[[DataSource], Facts]
    load: Callable[[DataSource], Splits]
    counts: Mapping[str, int] = field(default_factory=dict)
    options: tuple[str, ...] = ()
    columns: Mapping[str, str] = field(default_factory=dict)

    def facts_at(self, source: DataSource) -> Facts:
        """Return the facts of the data at ``source``.

        Raises:
            WavezooError: if the source cannot be read or is asked for what the data set does not take.
        """
        self._check_source(source)
        return self.facts(source) if callable(self.facts) else self.facts

    def read(self, source: DataSource) -> Splits:
        """Read the splits and check them against the facts.

        Raises:
            WavezooError: if the data cannot be read, are cut short, or are not what the name says.
        """
        facts = self.facts_at(source)
        splits = self.load(source)
        for name in SPLITS:
            split = getattr(splits, name)
            if split is not None:
                _check_split(self.name, name, split, facts)
        return splits

    def check_count(self, source: DataSource, split: str, count: int) -> None:
        """Raise WavezooError unless a copy has as many samples in ``split`` as were published."""
        if source.partial or split not in self.counts or count == self.counts[split]:
            return
        raise WavezooError(
            f"the {split} split of {self.name} has {self.counts[split]:,} samples, this copy {count:,}. Copy it again; "
            "or say --set data.partial=true if it is meant to differ."
        )

    def _check_source(self, source: DataSource) -> None:
        for option in source.options:
            if option not in self.options:
                takes = f"It takes {', '.join(self.options)}." if self.options else "Leave it out."
                raise WavezooError(f"data.{option} is no option of {self.name}. {takes}")
        for column in source.columns:
            if column not in self.columns:
                known = ", ".join(nearest_first(column, self.columns)) or "none"
                raise WavezooError(f"data.columns maps {column!r}; {self.name} has columns for: {known}.")


def _check_split(name: str, split_name: str, split: Split, facts: Facts) -> None:
    if not len(split):
        raise WavezooError(f"the {split_name} split of {name} has no samples.")
    shape: tuple[int, ...] | None = None
    if isinstance(facts, ImageFacts):
        shape = (facts.size, facts.size, facts.channels)
    elif facts.features is not None:
        shape = (facts.length, facts.features)
    if shape is not None and isinstance(split.inputs, np.ndarray) and split.inputs.shape[1:] != shape:
        raise WavezooError(f"samples of {name} are {shape}, those of the {split_name} split {split.inputs.shape[1:]}.")
    least, greatest = int(split.labels.min()), int(split.labels.max())
    if not 0 <= least <= greatest < len(facts.classes):
        raise WavezooError(
            f"{name} has {len(facts.classes)} classes; the {split_name} split has labels {least} to {greatest}."
        )
