"""Fashion-MNIST."""

import gzip
import math
import struct
import zlib
from pathlib import Path

import numpy as np

from wavezoo.data.images import ImageData, ImageDataset, ImageSplit, load_hub_images, require_folder
from wavezoo.errors import WavezooError

UNSIGNED_BYTE = 8


def _load(path: str | None, limit_samples: int | None) -> ImageData:
    if path is not None and (idx_files := sorted(require_folder(path).glob("*-idx?-ubyte*"))):
        return ImageData(*(_read_split(idx_files, path, prefix, limit_samples) for prefix in ("train", "t10k")))
    return load_hub_images("zalando-datasets/fashion_mnist", path, "image", "label", "L", limit_samples)


def _read_split(idx_files: list[Path], path: str, prefix: str, limit_samples: int | None) -> ImageSplit:
    arrays = []
    for kind in ("images-idx3", "labels-idx1"):
        found = [file for file in idx_files if file.name.startswith(f"{prefix}-{kind}-ubyte")]
        if not found:
            raise WavezooError(f"data.path {path} has no {prefix}-{kind}-ubyte or {prefix}-{kind}-ubyte.gz.")
        arrays.append(_read_idx(found[0]))
    images, labels = arrays
    if len(images) != len(labels):
        raise WavezooError(f"data.path {path} has {len(images)} {prefix} images and {len(labels)} labels.")
    return ImageSplit(images[:limit_samples, :, :, None], labels[:limit_samples].astype(np.int64))


def _read_idx(file: Path) -> np.ndarray:
    """Return the array in an idx file: two zero bytes, element type, number of axes, their sizes, the elements."""
    try:
        content = gzip.decompress(file.read_bytes()) if file.suffix == ".gz" else file.read_bytes()
        zero, element_type, axes = struct.unpack_from(">HBB", content)
        shape = struct.unpack_from(f">{axes}I", content, 4)
        if (zero, element_type) != (0, UNSIGNED_BYTE) or len(content) != 4 + 4 * axes + math.prod(shape):
            raise ValueError(f"{len(content)} bytes do not hold the {shape} values that its header announces")
        return np.frombuffer(content, np.uint8, offset=4 + 4 * axes).reshape(shape)
    except (OSError, EOFError, ValueError, struct.error, zlib.error) as error:
        raise WavezooError(f"{file} is damaged or cut short ({error}). Copy it again.") from error


DATASET = ImageDataset(
    name="fashion_mnist",
    description="""Fashion-MNIST: pictures of clothes, 28 x 28, grey.

Source: Zalando Research (Xiao, Rasul and Vollgraf 2017), MIT licence; on the hub, zalando-datasets/fashion_mnist.
Without a network: data.path is a folder with the four idx files, gzipped or not (Debian's package
dataset-fashion-mnist puts them in /usr/share/datasets/fashion-mnist), or a copy in the hub's layout.
Splits: 60,000 for training, 10,000 for test.""",
    classes=(
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
    ),
    channels=1,
    size=28,
    mean=(0.286,),
    std=(0.353,),
    load=_load,
)
