"""Data sets by name."""

from wavezoo.data import cifar10, digits, fashion_mnist
from wavezoo.data.images import ImageData, ImageDataset, ImageSplit
from wavezoo.errors import not_allowed

__all__ = ["DATASETS", "ImageData", "ImageDataset", "ImageSplit", "find_dataset"]

DATASETS = {each.name: each for each in (digits.DATASET, fashion_mnist.DATASET, cifar10.DATASET)}


def find_dataset(name: str) -> ImageDataset:
    """Return the data set called ``name``.

    Raises:
        WavezooError: if there is none.
    """
    if name not in DATASETS:
        raise not_allowed("data set", name, DATASETS, "`wavezoo list datasets` describes them.")
    return DATASETS[name]
