"""What a set of labelled images is, and how one is read from the hub or from a local copy of it.

Shapes: M images of height H and width W with C channels, ``(M, H, W, C)``, uint8.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from datasets import Dataset, DatasetDict, Image, load_dataset
from datasets.exceptions import DatasetsError
from datasets.utils import disable_progress_bars, enable_progress_bars, is_progress_bar_enabled
from datasets.utils import logging as datasets_logging
from huggingface_hub.utils import logging as hub_logging

from wavezoo.errors import WavezooError


@dataclass(frozen=True)
class ImageSplit:
    """Images ``(M, H, W, C)``, uint8, and their labels ``(M,)``, int64."""

    images: np.ndarray
    labels: np.ndarray


@dataclass(frozen=True)
class ImageData:
    """A training and a test split."""

    train: ImageSplit
    test: ImageSplit


@dataclass(frozen=True)
class ImageDataset:
    """A named data set and its facts.

    Attributes:
        name: its name in recipes.
        description: source, licence, splits, and how to get it without a network.
        classes: names of the classes, in the order of their labels.
        channels: number of image channels C.
        size: side of the square images, in pixels.
        mean: mean of each channel of the training images, scaled to 0 to 1.
        std: standard deviation, likewise.
        load: reads it, ``load(path, limit_samples)``: ``path`` is a local copy or None for the source, and
            ``limit_samples`` keeps that many images of each split at most.
    """

    name: str
    description: str
    classes: tuple[str, ...]
    channels: int
    size: int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    load: Callable[[str | None, int | None], ImageData]


def load_hub_images(
    repository: str, path: str | None, image_column: str, label_column: str, mode: str, limit_samples: int | None
) -> ImageData:
    """Read the splits ``train`` and ``test`` of a data set of images from the hub, or from a local copy in its layout.

    Args:
        repository: its name on the hub.
        path: folder of a local copy; None for the hub.
        image_column: name of the column with the images.
        label_column: name of the column with the labels.
        mode: Pillow's mode for the images, ``"RGB"`` or ``"L"``.
        limit_samples: read that many images of each split at most.

    Raises:
        WavezooError: if the hub cannot be reached, or if the copy is missing, incomplete or damaged.
    """
    if path is not None:
        require_folder(path)
    try:
        with _quiet():
            splits = load_dataset(path or repository)
        return ImageData(
            *(_decode(splits, name, image_column, label_column, mode, limit_samples) for name in ("train", "test"))
        )
    except (OSError, ValueError, RuntimeError, DatasetsError) as error:
        raise _explain(error, repository, path) from error


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


@contextmanager
def _quiet() -> Iterator[None]:
    """Leave it to our own messages to say what happened."""
    bars, levels = is_progress_bar_enabled(), [each.get_verbosity() for each in (datasets_logging, hub_logging)]
    disable_progress_bars()
    datasets_logging.set_verbosity(datasets_logging.CRITICAL)
    hub_logging.set_verbosity(hub_logging.CRITICAL)
    try:
        yield
    finally:
        if bars:
            enable_progress_bars()
        datasets_logging.set_verbosity(levels[0])
        hub_logging.set_verbosity(levels[1])


def _decode(
    splits: DatasetDict, name: str, image_column: str, label_column: str, mode: str, limit_samples: int | None
) -> ImageSplit:
    if name not in splits:
        raise ValueError(f"there is no split {name!r}, only {', '.join(splits)}.")
    split: Dataset = splits[name]
    for column in (image_column, label_column):
        if column not in split.column_names:
            raise ValueError(f"the split {name!r} has no column {column!r}, only {', '.join(split.column_names)}.")
    if limit_samples is not None:
        split = split.select(range(min(limit_samples, len(split))))
    pictures = split.cast_column(image_column, Image())[image_column]
    images = np.stack([np.asarray(picture.convert(mode)) for picture in pictures])
    return ImageSplit(images.reshape(*images.shape[:3], -1), np.asarray(split[label_column], dtype=np.int64))


def _explain(error: Any, repository: str, path: str | None) -> WavezooError:
    reason = str(error).splitlines()[0].rstrip(".") if str(error) else type(error).__name__
    if path is None:
        return WavezooError(
            f"the hub's {repository} cannot be read: {reason}. Without a network, point data.path at a local copy in "
            "the hub's layout (--set data.path=FOLDER)."
        )
    return WavezooError(f"the local copy {path} cannot be read: {reason}. Copy it again; it may be cut short.")
