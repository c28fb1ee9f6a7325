"""A named data set: its facts, how it is read, and what a recipe may say of it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any

import numpy as np
from pydantic import TypeAdapter, ValidationError

from wavezoo.data.facts import Facts, ImageFacts, SequenceFacts, TextFacts
from wavezoo.data.splits import SPLITS, Split, Splits, hold_back
from wavezoo.errors import WavezooError, nearest_first


@dataclass(frozen=True)
class DataSource:
    """Where a data set is found, and what is read of it.

    Attributes:
        path: a local copy; None for the source that the entry names.
        limit_samples: read that many samples of each split at most, evenly spaced over it.
        partial: accept a copy with other counts than those published.
        validation: part of the training samples to hold back for validation, for a data set without such a split.
        seed: decides which are held back, and what is drawn where data are generated.
        columns: names of columns in place of the entry's.
        options: what the entry declares besides, by name.
    """

    path: str | None = None
    limit_samples: int | None = None
    partial: bool = False
    validation: float = 0.0
    seed: int = 0
    columns: Mapping[str, str] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)

    def chosen(self, count: int) -> np.ndarray:
        """Return which of ``count`` samples are read: evenly spaced, so that samples sorted by class stay balanced."""
        if self.limit_samples is None or self.limit_samples >= count:
            return np.arange(count)
        return np.arange(self.limit_samples) * count // self.limit_samples


@dataclass(frozen=True)
class DataOption:
    """A key of a recipe's data section that one data set takes.

    Attributes:
        kind: its type, as an annotation that pydantic checks, such as ``Annotated[int, Field(ge=1)]``.
        default: its value where the recipe says nothing.
        help: what it does, in a sentence.
    """

    kind: Any
    default: Any
    help: str

    def checked(self, name: str, value: object) -> Any:
        """Return ``value`` as the type wants it.

        Raises:
            WavezooError: if it is of another type.
        """
        try:
            return TypeAdapter(self.kind).validate_python(value)
        except ValidationError as error:
            message = error.errors()[0]["msg"]
            raise WavezooError(
                f"data.{name} is {value!r}: {message[0].lower()}{message[1:]}. It is {self.help}"
            ) from None


PIXELS_AS_TOKENS = DataOption(bool, False, "whether a sequence model reads pixels as 256 token ids, not as numbers.")


@dataclass(frozen=True)
class DatasetEntry:
    """A named data set.

    Attributes:
        name: its name in recipes.
        description: source, licence, splits, and how to get it without a network.
        facts: its facts, or a function that finds them at a source.
        load: reads it.
        task: name of the task that it is for where a recipe names none.
        counts: samples of each published split.
        options: keys of a recipe's data section that it takes besides those that all do.
        columns: names of the columns it reads, by what they hold; empty where there are none to map.
    """

    name: str
    description: str
    facts: Facts | Callable[[DataSource], Facts]
    load: Callable[[DataSource], Splits]
    task: str = "classification"
    counts: Mapping[str, int] = field(default_factory=dict)
    options: Mapping[str, DataOption] = field(default_factory=dict)
    columns: Mapping[str, str] = field(default_factory=dict)

    def facts_at(self, source: DataSource) -> Facts:
        """Return the facts of the data at ``source``.

        Raises:
            WavezooError: if the source cannot be read or is asked for what the data set does not take.
        """
        return self._facts(self._completed(source))

    def read(self, source: DataSource) -> Splits:
        """Read the splits and check them against the facts; hold a part back for validation if the source says so.

        Raises:
            WavezooError: if the data cannot be read, are cut short, or are not what the name says.
        """
        source = self._completed(source)
        facts = self._facts(source)
        splits = self.load(source)
        for name in SPLITS:
            split = getattr(splits, name)
            if split is not None:
                _check_split(self.name, name, split, facts)
        if not source.validation:
            return splits
        if splits.validation is not None:
            raise WavezooError(f"{self.name} has a validation split of its own. Leave data.validation out.")
        train, validation = hold_back(splits.train, source.validation, source.seed)
        return Splits(train, splits.test, validation)

    def check_count(self, source: DataSource, split: str, count: int) -> None:
        """Raise WavezooError unless a copy has as many samples in ``split`` as were published."""
        if source.partial or split not in self.counts or count == self.counts[split]:
            return
        raise WavezooError(
            f"the {split} split of {self.name} has {self.counts[split]:,} samples, this copy {count:,}. Copy it again; "
            "or say --set data.partial=true if it is meant to differ."
        )

    def option(self, name: str, value: object) -> Any:
        """Return the value of an option, as its type wants it.

        Raises:
            WavezooError: if there is no such option, or if the value is of another type.
        """
        if name not in self.options:
            common = (each.name for each in fields(DataSource) if each.name != "options")
            known = ", ".join(nearest_first(name, [*common, *self.options]))
            raise WavezooError(f"data.{name} is no option of {self.name}. It takes, nearest first: {known}.")
        return self.options[name].checked(name, value)

    def column(self, source: DataSource, what: str) -> str:
        """Return the name of the column that holds ``what``."""
        return source.columns.get(what, self.columns[what])

    def _facts(self, source: DataSource) -> Facts:
        return self.facts(source) if callable(self.facts) else self.facts

    def _completed(self, source: DataSource) -> DataSource:
        """Return the source with all options of the data set, checked."""
        given = {name: self.option(name, value) for name, value in source.options.items()}
        for column in source.columns:
            if column not in self.columns:
                known = ", ".join(nearest_first(column, self.columns)) or "none"
                raise WavezooError(f"data.columns maps {column!r}; {self.name} has columns for: {known}.")
        return replace(source, options={name: each.default for name, each in self.options.items()} | given)


def _check_split(name: str, split_name: str, split: Split, facts: Facts) -> None:
    if not len(split):
        raise WavezooError(f"the {split_name} split of {name} has no samples.")
    where = f"the {split_name} split of {name}"
    if len(split.inputs) != len(split):
        raise WavezooError(f"{where} has {len(split.inputs):,} samples and {len(split):,} targets.")
    shape: tuple[int, ...] | None = None
    if isinstance(facts, ImageFacts):
        shape = (*facts.grid, facts.channels)
    elif isinstance(facts, SequenceFacts) and facts.features is not None:
        shape = (*facts.grid, facts.features)
    if shape is not None and isinstance(split.inputs, np.ndarray) and split.inputs.shape[1:] != shape:
        raise WavezooError(f"samples of {name} are {shape}, those of the {split_name} split {split.inputs.shape[1:]}.")
    _check_targets(where, split.targets, facts)


def _check_targets(where: str, targets: np.ndarray, facts: Facts) -> None:
    if isinstance(facts, TextFacts):
        if (greatest := int(targets.max())) >= facts.vocabulary:
            raise WavezooError(f"{where} has the token {greatest}; there are {facts.vocabulary}.")
        return
    expected: dict[str, tuple[int | None, ...]] = {
        "class": (),
        "class_map": facts.grid,
        "field": (facts.target_channels, *facts.grid),
        "distance": facts.grid,
    }
    if targets.shape[1:] != expected[facts.target]:
        raise WavezooError(f"targets of {where} are {targets.shape[1:]}; {expected[facts.target]} is meant.")
    if facts.target in ("field", "distance"):
        return
    least, greatest = int(targets.min()), int(targets.max())
    if not 0 <= least <= greatest < len(facts.classes):
        raise WavezooError(f"{where} has labels {least} to {greatest}; there are {len(facts.classes)} classes.")
