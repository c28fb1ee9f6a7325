"""Text, byte by byte."""

from pathlib import Path
from typing import Annotated, Any

import numpy as np
from pydantic import Field

from wavezoo.data.entry import DataOption, DatasetEntry, DataSource
from wavezoo.data.facts import SequenceFacts
from wavezoo.data.hub import open_splits, require_columns, require_folder
from wavezoo.data.splits import Split, Splits, TokenRuns
from wavezoo.errors import WavezooError

REPOSITORY = "stanfordnlp/imdb"
CLASSES = ("negative", "positive")
# Folders of the original release, which also has unlabelled texts.
FOLDERS = {"neg": 0, "pos": 1}
LONGEST = 4096


def _facts(source: DataSource) -> SequenceFacts:
    return SequenceFacts(_classes(source), None, 256, _longest(source))


def _longest(source: DataSource) -> int:
    return source.options["max_length"]


def _classes(source: DataSource) -> tuple[str, ...]:
    if (folder := _text_folder(source)) is None:
        return tuple(source.options["classes"] or CLASSES)
    if source.options["classes"] is not None:
        raise WavezooError("data.classes is for tables; in a folder of texts the classes are its folders.")
    names = {each.name for each in (folder / "train").iterdir() if each.is_dir() and any(each.glob("*.txt"))}
    return CLASSES if names >= set(FOLDERS) else tuple(sorted(names))


def _text_folder(source: DataSource) -> Path | None:
    """Return the folder if it holds ``train/CLASS/*.txt``."""
    if source.path is None:
        return None
    folder = require_folder(source.path)
    return folder if any(folder.glob("train/*/*.txt")) else None


def _load(source: DataSource) -> Splits:
    if (folder := _text_folder(source)) is not None:
        classes = _classes(source)
        return Splits(*(_read_folder(folder, split, classes, source) for split in ("train", "test")))
    text_column, label_column = (DATASETS["text"].column(source, each) for each in ("text", "label"))
    splits = open_splits(REPOSITORY, source)

    def read(name: str) -> Split:
        split = require_columns(splits, name, [text_column, label_column], source)
        if source.path is None:
            DATASETS["text"].check_count(source, name, len(split))
        split = split.select(source.chosen(len(split)))
        return _tokens(split[text_column], [_label(label, source) for label in split[label_column]], source)

    return Splits(read("train"), read("test"), read("validation") if "validation" in splits else None)


def _read_folder(folder: Path, split: str, classes: tuple[str, ...], source: DataSource) -> Split:
    if not (folder / split).is_dir():
        raise WavezooError(f"{folder} has no folder {split}; texts are in train/CLASS/*.txt and test/CLASS/*.txt.")
    names = {index: name for name, index in FOLDERS.items()} if classes == CLASSES else dict(enumerate(classes))
    files = [(file, label) for label, name in names.items() for file in sorted((folder / split / name).glob("*.txt"))]
    files = [files[index] for index in source.chosen(len(files))]
    try:
        return _tokens([file.read_bytes() for file, _ in files], [label for _, label in files], source)
    except OSError as error:
        raise WavezooError(f"{error.filename} cannot be read: {error.strerror}.") from error


def _label(label: Any, source: DataSource) -> int:
    classes = _classes(source)
    if label in classes:
        return classes.index(label)
    if isinstance(label, int):
        return label
    raise WavezooError(
        f"a label is {label!r}; labels are whole numbers, or one of {', '.join(classes)}. data.classes names others."
    )


def _tokens(texts: list[Any], labels: list[int], source: DataSource) -> Split:
    runs = []
    for index, text in enumerate(texts):
        content = text.encode() if isinstance(text, str) else text
        if not content:
            raise WavezooError(f"text {index} of {source.path or REPOSITORY} is empty. Remove it, or give it a text.")
        runs.append(np.frombuffer(content, np.uint8)[: _longest(source)])
    return Split(TokenRuns.joined(runs), np.asarray(labels, dtype=np.int64))


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
