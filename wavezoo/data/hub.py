"""Reads the hub, and local copies in its layout, with the datasets library; turns its errors into ours."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from wavezoo.data.entry import DatasetEntry, DataSource
from wavezoo.data.pictures import eight_bits
from wavezoo.data.splits import Split, Splits
from wavezoo.errors import WavezooError
from wavezoo.files import find_folder

if TYPE_CHECKING:
    from datasets import Dataset, DatasetDict

WHOLE_NUMBERS = np.iinfo(np.int64)


def require_folder(path: str) -> Path:
    """Return ``path`` as a folder.

    Raises:
        WavezooError: if it does not exist, is no folder, is empty or cannot be looked into.
    """
    folder = find_folder(path, "data.path")
    if not any(folder.iterdir()):
        raise WavezooError(f"data.path is {str(path)!r}, which is empty. Point it at a local copy of the data.")
    return folder


def open_splits(
    repository: str, source: DataSource, text_column: str | None = None, configuration: str | None = None
) -> "DatasetDict":
    """Open the splits of a data set on the hub, or of a local copy: parquet, csv, arrow (`save_to_disk`) or images.

    Args:
        repository: its name on the hub.
        source: where it is.
        text_column: a column of texts; in csv files, "NA" or "007" are texts like others there.
        configuration: which of several on the hub; a local copy is of one.

    Raises:
        WavezooError: if the hub cannot be reached, or if the copy is missing or damaged.
    """
    folder = None if source.path is None else require_folder(source.path)
    with explained(repository, source.path):
        # Takes a second, and is wanted by few commands.
        from datasets import load_dataset, load_dataset_builder, load_from_disk
        from datasets.packaged_modules.csv.csv import CsvConfig

        if folder is not None and (folder / "dataset_dict.json").is_file():
            return load_from_disk(str(folder))
        options: dict[str, Any] = {}
        if folder is not None and isinstance(load_dataset_builder(str(folder)).config, CsvConfig):
            options["keep_default_na"] = False
            if text_column is not None:
                options["converters"] = {text_column: str}
        return load_dataset(repository, configuration) if folder is None else load_dataset(str(folder), **options)


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
        with explained(repository, source.path):
            from datasets import Image

            split = require_columns(splits, name, [image_column, label_column], source)
            entry.check_count(source, name, len(split))
            split = split.select(source.chosen(len(split)))
            labels = whole_labels(split[label_column], f"the {name} split of {source.path or repository}")
            pictures = split.cast_column(image_column, Image())[image_column]
            return Split(_pixels(pictures, len(split), mode), labels)

    return Splits(decoded("train"), decoded("test"))


def _pixels(pictures: Iterable[Any], count: int, mode: str) -> np.ndarray:
    """Return pictures of one size as an array ``(count, H, W, C)``."""
    images = np.empty((count, 0, 0, 0), np.uint8)
    for row, picture in enumerate(pictures):
        if picture is None:
            raise ValueError(f"row {row} has no image")
        pixels = np.atleast_3d(np.asarray(eight_bits(picture, mode)))
        if row == 0:
            images = np.empty((count, *pixels.shape), np.uint8)
        if pixels.shape != images.shape[1:]:
            raise ValueError(f"the image in row {row} is {pixels.shape}, the first {images.shape[1:]}")
        images[row] = pixels
    return images


def whole_labels(labels: Iterable[object], where: str, names: Mapping[str, int] | None = None) -> np.ndarray:
    """Return labels as int64 ``(M,)``.

    Args:
        labels: whole numbers, or names.
        where: what they are the labels of, in words.
        names: the number of each label that is a word.

    Raises:
        WavezooError: if one is missing, no whole number and no such name, or too large.
    """
    numbers = []
    for row, label in enumerate(labels):
        value: Any = names.get(label) if names and isinstance(label, str) else label
        if isinstance(value, str) and value.strip().removeprefix("-").isdecimal():
            value = int(value)
        whole = isinstance(value, int | np.integer) or (isinstance(value, float) and value.is_integer())
        if not whole or not WHOLE_NUMBERS.min <= value <= WHOLE_NUMBERS.max:
            known = f", or one of {', '.join(names)}. data.classes names others" if names else " in 64 bits"
            raise WavezooError(f"{where}: a label is {label!r}, in row {row}; labels are whole numbers{known}.")
        numbers.append(int(value))
    return np.asarray(numbers, dtype=np.int64)


def require_columns(splits: "DatasetDict", name: str, columns: list[str], source: DataSource) -> "Dataset":
    """Return a split that has all ``columns``.

    Raises:
        WavezooError: if there is no such split or if it lacks a column.
    """
    where = "the hub's copy" if source.path is None else f"the local copy {source.path}"
    # A folder that was saved as a single split is not a mapping of splits.
    if not isinstance(splits, Mapping) or name not in splits:
        found = ", ".join(splits) if isinstance(splits, Mapping) else "one without a name"
        raise WavezooError(f"{where} cannot be read: there is no split {name!r}, only {found}.")
    split = splits[name]
    for column in columns:
        if column not in split.column_names:
            raise WavezooError(
                f"{where} cannot be read: the split {name!r} has no column {column!r}, only "
                f"{', '.join(split.column_names)}. data.columns maps others."
            )
    return split


@contextmanager
def explained(repository: str, path: str | None) -> Iterator[None]:
    """Leave it to our own messages to say what happened."""
    from datasets.utils import disable_progress_bars, enable_progress_bars, is_progress_bar_enabled
    from datasets.utils import logging as datasets_logging
    from huggingface_hub.utils import logging as hub_logging

    bars, levels = is_progress_bar_enabled(), [each.get_verbosity() for each in (datasets_logging, hub_logging)]
    disable_progress_bars()
    datasets_logging.set_verbosity(datasets_logging.CRITICAL)
    hub_logging.set_verbosity(hub_logging.CRITICAL)
    try:
        yield
    except WavezooError:
        raise
    # The readers of half a dozen formats stand behind this, and each raises what it likes on damaged files.
    except Exception as error:
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
