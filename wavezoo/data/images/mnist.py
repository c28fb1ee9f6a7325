"""MNIST and Fashion-MNIST, from the hub or from idx files."""

import gzip
import math
import re
import struct
import zlib
from functools import partial
from pathlib import Path
from typing import Literal

import numpy as np

from wavezoo.data.entry import DataOption, DatasetEntry, DataSource
from wavezoo.data.facts import ImageFacts
from wavezoo.data.folders import files_below
from wavezoo.data.hub import load_hub_images, require_folder
from wavezoo.data.splits import Split, Splits
from wavezoo.errors import WavezooError

UNSIGNED_BYTE = 8
# As released, and with the dot that some unpackers and mirrors put.
IDX_NAME = re.compile(r"(train|t10k)-(images[.-]idx3|labels[.-]idx1)-ubyte(\.gz)?")


def _load(name: str, repository: str, source: DataSource) -> Splits:
    if source.path is not None:
        idx_files = [file for file in files_below(require_folder(source.path)) if IDX_NAME.fullmatch(file.name)]
        if idx_files:
            return Splits(*(_read_split(idx_files, name, split, source) for split in ("train", "test")))
    return load_hub_images(DATASETS[name], repository, source, "L")


def _read_split(idx_files: list[Path], name: str, split: str, source: DataSource) -> Split:
    prefix = {"train": "train", "test": "t10k"}[split]
    arrays = []
    for kind, axes in (("images", 3), ("labels", 1)):
        found = [file for file in idx_files if file.name.startswith(f"{prefix}-{kind}")]
        if not found:
            wanted = f"{prefix}-{kind}-idx{axes}-ubyte"
            raise WavezooError(f"data.path {source.path} has no {wanted} or {wanted}.gz.")
        arrays.append(_read_idx(found[0], axes))
    images, labels = arrays
    if len(images) != len(labels):
        raise WavezooError(f"data.path {source.path} has {len(images)} {prefix} images and {len(labels)} labels.")
    DATASETS[name].check_count(source, split, len(labels))
    chosen = source.chosen(len(labels))
    return Split(images[chosen][..., None], labels[chosen].astype(np.int64))


def _read_idx(file: Path, wanted_axes: int) -> np.ndarray:
    """Return the array in an idx file: two zero bytes, element type, number of axes, their sizes, the elements."""
    try:
        content = gzip.decompress(file.read_bytes()) if file.suffix == ".gz" else file.read_bytes()
        zero, element_type, axes = struct.unpack_from(">HBB", content)
        if axes != wanted_axes:
            raise ValueError(f"it has {axes} axes, not {wanted_axes}")
        shape = struct.unpack_from(f">{axes}I", content, 4)
        if (zero, element_type) != (0, UNSIGNED_BYTE) or len(content) != 4 + 4 * axes + math.prod(shape):
            raise ValueError(f"{len(content)} bytes do not hold the {shape} values that its header announces")
        return np.frombuffer(content, np.uint8, offset=4 + 4 * axes).reshape(shape)
    except (OSError, EOFError, ValueError, struct.error, zlib.error) as error:
        raise WavezooError(f"{file} is damaged or cut short ({error}). Copy it again.") from error


CLOTHES = (
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)

DATASETS = {
    "mnist": DatasetEntry(
        name="mnist",
        description="""MNIST: handwritten digits, 28 x 28, grey.

Source: LeCun, Cortes and Burges 1998, CC BY-SA 3.0; on the hub, ylecun/mnist.
Without a network: data.path is a folder with the four idx files, gzipped or not, or a copy in the hub's layout, columns
image and label.
Splits: 60,000 for training, 10,000 for test.""",
        facts=ImageFacts(tuple("0123456789"), 1, 28, (0.1307,), (0.3081,)),
        load=partial(_load, "mnist", "ylecun/mnist"),
        counts={"train": 60_000, "test": 10_000},
        columns={"image": "image", "label": "label"},
    ),
    "fashion_mnist": DatasetEntry(
        name="fashion_mnist",
        description="""Fashion-MNIST: pictures of clothes, 28 x 28, grey.

Source: Zalando Research (Xiao, Rasul and Vollgraf 2017), MIT licence; on the hub, zalando-datasets/fashion_mnist.
Without a network: data.path is a folder with the four idx files, gzipped or not (Debian's package
dataset-fashion-mnist puts them in /usr/share/datasets/fashion-mnist), or a copy in the hub's layout.
Splits: 60,000 for training, 10,000 for test.""",
        facts=ImageFacts(CLOTHES, 1, 28, (0.286,), (0.353,)),
        load=partial(_load, "fashion_mnist", "zalando-datasets/fashion_mnist"),
        counts={"train": 60_000, "test": 10_000},
        columns={"image": "image", "label": "label"},
    ),
}

IMAGES = DataOption(Literal["mnist", "fashion_mnist"], "mnist", "the images that are read.")


def chosen_images(source: DataSource) -> DatasetEntry:
    """Return the data set that the option ``images`` names, for data sets that are made of it."""
    return DATASETS[source.options["images"]]
