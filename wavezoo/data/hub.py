"""Reads the hub, and local copies in its layout, with the datasets library; turns its errors into ours."""

import csv
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from datasets import DatasetDict, Image, load_dataset, load_from_disk
from datasets.exceptions import DatasetsError
from datasets.utils import disable_progress_bars, enable_progress_bars, is_progress_bar_enabled
from datasets.utils import logging as datasets_logging
from huggingface_hub.utils import logging as hub_logging

from wavezoo.data.entry import DatasetEntry, DataSource
from wavezoo.data.splits import Split, Splits
from wavezoo.errors import WavezooError


def require_folder(path: str) -> Path:
    """Return ``path`` as a folder.

    Raises:
        WavezooError: if it does not exist, is no folder or is empty.
    """
    folder = Path(path).expanduser()
    if not folder.is_dir():
        raise WavezooError(f"data.path is {str(path)!r}, which is not a folder. Point it at a local copy of the data.")
    if not any(folder.iterdir()):
        raise WavezooError(f"data.path is {str(path)!r}, which is empty. Point it at a local copy of the data.")
    return folder


def open_splits(repository: str, source: DataSource) -> DatasetDict:
    """Open the splits of a data set on the hub, or of a local copy: parquet, csv, arrow (`save_to_disk`) or images.

    Raises:
        WavezooError: if the hub cannot be reached, or if the copy is missing or damaged.
    """
    folder = None if source.path is None else require_folder(source.path)
    with _explained(repository, source.path):
        if folder is not None and (folder / "dataset_dict.json").is_file():
            return load_from_disk(str(folder))
        return load_dataset(repository if folder is None else str(folder))


def load_hub_images(entry: DatasetEntry, repository: str, source: DataSource, mode: str) -> Splits:
    """Read the splits ``train`` and ``test`` of a set of images from the hub, or from a local copy in its layout.

    Args:
        entry: the data set; its columns are ``image`` and ``label``.
        repository: its name on the hub.
        source: where it is.
        mode: Pillow's mode for the images, ``"RGB"`` or ``"L"``.

    Raises:
        WavezooError: if the hub cannot be reached, or if the copy is missing, cut short or damaged.
    """
    image_column, label_column = (entry.column(source, each) for each in ("image", "label"))
    splits = open_splits(repository, source)

    def decoded(name: str) -> Split:
        split = require_columns(splits, name, [image_column, label_column], source)
        entry.check_count(source, name, len(split))
        split = split.select(source.chosen(len(split)))
        with _explained(repository, source.path):
            pictures = split.cast_column(image_column, Image())[image_column]
            images = np.stack([np.asarray(picture.convert(mode)) for picture in pictures])
        return Split(images.reshape(*images.shape[:3], -1), np.asarray(split[label_column], dtype=np.int64))

    return Splits(decoded("train"), decoded("test"))


def require_columns(splits: DatasetDict, name: str, columns: list[str], source: DataSource):  # type: ignore[no-untyped-def]
    """Return a split that has all ``columns``.

    Raises:
        WavezooError: if there is no such split or if it lacks a column.
    """
    where = "the hub's copy" if source.path is None else f"the local copy {source.path}"
    if name not in splits:
        raise WavezooError(f"{where} cannot be read: there is no split {name!r}, only {', '.join(splits)}.")
    split = splits[name]
    for column in columns:
        if column not in split.column_names:
            raise WavezooError(
                f"{where} cannot be read: the split {name!r} has no column {column!r}, only "
                f"{', '.join(split.column_names)}. data.columns maps others."
            )
    return split


@contextmanager
def _explained(repository: str, path: str | None) -> Iterator[None]:
    """Leave it to our own messages to say what happened."""
    bars, levels = is_progress_bar_enabled(), [each.get_verbosity() for each in (datasets_logging, hub_logging)]
    disable_progress_bars()
    datasets_logging.set_verbosity(datasets_logging.CRITICAL)
    hub_logging.set_verbosity(hub_logging.CRITICAL)
    try:
        yield
    except (OSError, ValueError, RuntimeError, SyntaxError, csv.Error, DatasetsError) as error:
        reason = str(error).splitlines()[0].rstrip(".") if str(error) else type(error).__name__
        if path is None:
            raise WavezooError(
                f"the hub's {repository} cannot be read: {reason}. Without a network, point data.path at a local copy "
                "in the hub's layout (--set data.path=FOLDER)."
            ) from error
        raise WavezooError(
            f"the local copy {path} cannot be read: {reason}. Copy it again; it may be cut short."
        ) from error
    finally:
        if bars:
            enable_progress_bars()
        datasets_logging.set_verbosity(levels[0])
        hub_logging.set_verbosity(levels[1])
