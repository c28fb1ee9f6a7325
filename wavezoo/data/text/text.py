"""Text, byte by byte."""

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import numpy as np
from pydantic import Field

from wavezoo.data.entry import DataOption, DatasetEntry, DataSource
from wavezoo.data.facts import SequenceFacts
from wavezoo.data.folders import files_below, folders_in
from wavezoo.data.hub import explained, open_splits, require_columns, require_folder, whole_labels
from wavezoo.data.splits import Split, Splits, TokenRuns
from wavezoo.errors import WavezooError

REPOSITORY = "stanfordnlp/imdb"
CLASSES = ("negative", "positive")
# Folders of the original release, which has another one of texts without labels.
FOLDERS = {"neg": 0, "pos": 1}
UNLABELLED = "unsup"
LONGEST = 4096


def _facts(source: DataSource) -> SequenceFacts:
    return SequenceFacts(_classes(source), None, 256, _longest(source))


def _longest(source: DataSource) -> int:
    return source.options["max_length"]


def _classes(source: DataSource) -> tuple[str, ...]:
    if (folder := _text_folder(source)) is None:
        return source.options["classes"] or CLASSES
    if source.options["classes"] is not None:
        raise WavezooError("data.classes is for tables; in a folder of texts the classes are its folders.")
    names = {each.name for each in folders_in(folder / "train") if _texts_in(each)}
    return CLASSES if names - {UNLABELLED} == set(FOLDERS) else tuple(sorted(names))


def _text_folder(source: DataSource) -> Path | None:
    """Return the folder if it holds ``train/CLASS/*.txt``."""
    if source.path is None:
        return None
    folder = require_folder(source.path)
    if not (folder / "train").is_dir():
        return None
    return folder if any(_texts_in(each) for each in folders_in(folder / "train")) else None


def _texts_in(folder: Path) -> list[Path]:
    return [file for file in files_below(folder) if file.suffix == ".txt" and file.parent == folder]


def _load(source: DataSource) -> Splits:
    if (folder := _text_folder(source)) is not None:
        classes = _classes(source)
        return Splits(*(_read_folder(folder, split, classes, source) for split in ("train", "test")))
    text_column, label_column = (DATASETS["text"].column(source, each) for each in ("text", "label"))
    splits = open_splits(REPOSITORY, source, text_column)
    names = {name: number for number, name in enumerate(_classes(source))}

    def read(name: str) -> Split:
        with explained(REPOSITORY, source.path):
            split = require_columns(splits, name, [text_column, label_column], source)
            if source.path is None:
                DATASETS["text"].check_count(source, name, len(split))
            split = split.select(source.chosen(len(split)))
            labels = whole_labels(split[label_column], f"the {name} split of {source.path or REPOSITORY}", names)
            return _tokens(split[text_column], labels, source)

    return Splits(read("train"), read("test"), read("validation") if "validation" in splits else None)


def _read_folder(folder: Path, split: str, classes: tuple[str, ...], source: DataSource) -> Split:
    if not (folder / split).is_dir():
        raise WavezooError(f"{folder} has no folder {split}; texts are in train/CLASS/*.txt and test/CLASS/*.txt.")
    numbers = FOLDERS if classes == CLASSES else {name: number for number, name in enumerate(classes)}
    found = {each.name: _texts_in(each) for each in folders_in(folder / split)}
    if classes == CLASSES:
        found.pop(UNLABELLED, None)
    if unknown := [name for name, files in found.items() if files and name not in numbers]:
        raise WavezooError(f"{folder / split} has the class {unknown[0]!r}, which the training texts have not.")
    files = [(file, number) for name, number in numbers.items() for file in found.get(name, [])]
    files = [files[index] for index in source.chosen(len(files))]
    try:
        texts = [file.read_bytes() for file, _ in files]
    except OSError as error:
        raise WavezooError(f"{error.filename} cannot be read: {error.strerror}.") from error
    return _tokens(texts, np.asarray([number for _, number in files], dtype=np.int64), source)


def _tokens(texts: Iterable[object], labels: np.ndarray, source: DataSource) -> Split:
    runs = []
    where = source.path or REPOSITORY
    for index, text in enumerate(texts):
        if not isinstance(text, str | bytes):
            raise WavezooError(f"text {index} of {where} is {text!r}, no text. data.columns names the column of texts.")
        # What is no character by itself, half of a surrogate pair, has no bytes.
        content = text.encode(errors="replace") if isinstance(text, str) else text
        if not content:
            raise WavezooError(f"text {index} of {where} is empty. Remove it, or give it a text.")
        runs.append(np.frombuffer(content, np.uint8)[: _longest(source)])
    return Split(TokenRuns.joined(runs), labels)


DATASETS = {
    "text": DatasetEntry(
        name="text",
        description="""Texts by the byte, IMDb's film reviews by default: Long Range Arena, Text.

Source: Maas et al. 2011 (Learning word vectors for sentiment analysis), licence unstated; on the hub, stanfordnlp/imdb.
Without a network: data.path is a folder in the hub's layout or any folder with train.csv and test.csv, columns text and
label (data.columns: {text: review, label: sentiment} maps others, data.classes: [bad, good] names labels that are
words); or a folder of texts, train/CLASS/*.txt and test/CLASS/*.txt, such as the original release aclImdb.
Tokens are bytes, 0 to 255; texts are cut after data.max_length bytes (4096, as in Tay et al. 2021).
Splits: 25,000 for training, 25,000 for test; or those of the copy.""",
        facts=_facts,
        load=_load,
        counts={"train": 25_000, "test": 25_000},
        options={
            "max_length": DataOption(Annotated[int, Field(ge=1)], LONGEST, "the byte after which texts are cut."),
            "classes": DataOption(
                tuple[str, ...] | None, None, "the labels of a table that are words, in the order of their numbers."
            ),
        },
        columns={"text": "text", "label": "label"},
    )
}
