"""Handwritten digits."""

import numpy as np
from sklearn.datasets import load_digits

from wavezoo.data.images import ImageData, ImageDataset, ImageSplit
from wavezoo.errors import WavezooError

TRAINING_IMAGES = 1437


def _load(path: str | None, limit_samples: int | None) -> ImageData:
    if path is not None:
        raise WavezooError(f"data.path is {path!r}, but the digits come with scikit-learn. Leave data.path out.")
    digits = load_digits()
    images = (digits.images * (255 / 16)).round().astype(np.uint8)[..., None]
    labels = digits.target.astype(np.int64)
    train, test = slice(None, TRAINING_IMAGES), slice(TRAINING_IMAGES, None)
    return ImageData(
        ImageSplit(images[train][:limit_samples], labels[train][:limit_samples]),
        ImageSplit(images[test][:limit_samples], labels[test][:limit_samples]),
    )


DATASET = ImageDataset(
    name="digits",
    description="""Handwritten digits, 8 x 8, grey.

Source: scikit-learn's load_digits, the test part of the UCI ML hand-written digits data (Alpaydin and Kaynak 1998),
CC BY 4.0. Comes with the installed package; no network.
Splits: the first 1437 for training, the last 360 for test. On these a support vector machine (RBF kernel) gets 94.2 %
and logistic regression 90.0 %.""",
    classes=tuple("0123456789"),
    channels=1,
    size=8,
    mean=(0.305,),
    std=(0.375,),
    load=_load,
)
