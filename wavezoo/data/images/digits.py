"""Handwritten digits."""

import numpy as np

from wavezoo.data.entry import DatasetEntry, DataSource
from wavezoo.data.facts import ImageFacts
from wavezoo.data.splits import Split, Splits
from wavezoo.errors import WavezooError

TRAINING_IMAGES = 1437


def _load(source: DataSource) -> Splits:
    if source.path is not None:
        raise WavezooError(f"data.path is {source.path!r}, but the digits come with scikit-learn. Leave data.path out.")
    # Takes longer to import than all else that a command needs.
    from sklearn.datasets import load_digits

    digits = load_digits()
    images = (digits.images * (255 / 16)).round().astype(np.uint8)[..., None]
    labels = digits.target.astype(np.int64)

    def chosen(first: int, last: int) -> Split:
        rows = first + source.chosen(last - first)
        return Split(images[rows], labels[rows])

    return Splits(chosen(0, TRAINING_IMAGES), chosen(TRAINING_IMAGES, len(labels)))


DATASETS = {
    "digits": DatasetEntry(
        name="digits",
        description="""Handwritten digits, 8 x 8, grey.

Source: scikit-learn's load_digits, the test part of the UCI ML hand-written digits data (Alpaydin and Kaynak 1998),
CC BY 4.0. Comes with the installed package; no network.
Splits: the first 1437 for training, the last 360 for test. On these a support vector machine (RBF kernel) gets 94.2 %
and logistic regression 90.0 %.""",
        facts=ImageFacts(tuple("0123456789"), 1, 8, (0.305,), (0.375,)),
        load=_load,
        counts={"train": 1437, "test": 360},
    )
}
