"""Samples and their targets, by split; and a part of the training samples held back for validation."""

from dataclasses import dataclass

import numpy as np

from wavezoo.errors import WavezooError

SPLITS = ("train", "validation", "test")


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
class TokenStream:
    """A text as token ids, in windows that stand side by side.

    Attributes:
        tokens: all tokens ``(T,)``, in memory or in a mapped file.
        length: tokens N of a window.
    """

    tokens: np.ndarray
    length: int

    def __len__(self) -> int:
        return (len(self.tokens) - 1) // self.length

    @property
    def following(self) -> np.ndarray:
        """The token that follows each token of the windows, ``(M, N)``, without a copy."""
        return self.tokens[1 : len(self) * self.length + 1].reshape(len(self), self.length)

    def windows(self, starts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return windows that begin at ``starts``, ``(B, N)``, and what follows each of their tokens; int64."""
        rows = self.tokens[starts[:, None] + np.arange(self.length + 1)].astype(np.int64)
        return rows[:, :-1], rows[:, 1:]

    def divided(self, share: float) -> tuple["TokenStream", "TokenStream"]:
        """Return what is left of the stream, and its last part: whole windows, one at least."""
        held = max(1, round(len(self) * share)) * self.length
        kept = len(self) * self.length + 1 - held
        return TokenStream(self.tokens[:kept], self.length), TokenStream(self.tokens[kept - 1 :], self.length)


@dataclass(frozen=True)
class Split:
    """Inputs of M samples and what is to be found for them.

    Attributes:
        inputs: images, sequences, runs of tokens or a stream of them.
    targets: classes ``(M,)``, int64; class maps ``(M, *grid)``, int64 or uint8; fields ``(M, C, *grid)``, float32;
        distances ``(M, *grid)``, float32; or the tokens that follow those of a stream, ``(M, N)``.
    """

    inputs: np.ndarray | TokenRuns | TokenStream
    targets: np.ndarray

    def __len__(self) -> int:
        return len(self.targets)

    def part(self, rows: np.ndarray) -> "Split":
        """Return the samples with these indices."""
        if isinstance(self.inputs, TokenRuns):
            return Split(TokenRuns.joined([self.inputs[int(row)] for row in rows]), self.targets[rows])
        if isinstance(self.inputs, TokenStream):
            raise TypeError("the windows of a stream stand side by side; it is divided, not picked from")
        return Split(self.inputs[rows], self.targets[rows])


@dataclass(frozen=True)
class Splits:
    """The splits of a data set; ``validation`` is None where there is none."""

    train: Split
    test: Split
    validation: Split | None = None


def hold_back(split: Split, share: float, seed: int) -> tuple[Split, Split]:
    """Divide a split at random into what is left for training and a part for validation.

    Where each sample has a class, every class of two samples or more is in both parts as far as their sizes allow, in
    proportion to its samples.

    Args:
        split: the training samples, in any order.
        share: the part to hold back, rounded to samples, one at least.
        seed: the same seed divides in the same way.

    Raises:
        WavezooError: if nothing is left for training.
    """
    count = len(split)
    held = max(1, round(count * share))
    if held >= count:
        raise WavezooError(f"data.validation is {share}, which leaves no training samples of {count}. Lower it.")
    if isinstance(split.inputs, TokenStream):
        # Windows from within the text would have been seen from both sides.
        first, last = split.inputs.divided(share)
        return Split(first, first.following), Split(last, last.following)
    order = np.random.default_rng(seed).permutation(count)
    chosen = _of_every_class(order, split.targets[order], held) if split.targets.ndim == 1 else order[:held]
    mask = np.zeros(count, bool)
    mask[chosen] = True
    return split.part(np.flatnonzero(~mask)), split.part(np.flatnonzero(mask))


def _of_every_class(order: np.ndarray, labels: np.ndarray, held: int) -> np.ndarray:
    """Return ``held`` of the indices ``order``, the first of each class, whose labels are ``labels``."""
    _, classes, counts = np.unique(labels, return_inverse=True, return_counts=True)
    wanted = counts * held / len(order)
    # None of a class with a single sample, and never all of a class, unless the rest cannot make up the number.
    taken = np.clip(np.floor(wanted).astype(int), np.minimum(counts - 1, 1), np.maximum(counts - 1, 0))
    while (missing := held - taken.sum()) != 0:
        step = int(np.sign(missing))
        allowed = taken < counts - 1 if step > 0 else taken > 1
        if not allowed.any():
            allowed = taken < counts if step > 0 else taken > 0
        lack = np.where(allowed, step * (wanted - taken), -np.inf)
        taken[np.argmax(lack)] += step
    return np.concatenate([order[classes == label][:number] for label, number in enumerate(taken)])
