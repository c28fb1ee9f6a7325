"""Every pixel of a digit is of the digit's class, which its neighbourhood does not tell."""

import struct

import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_digits
from sklearn.linear_model import RidgeClassifier

from wavezoo.data import DataSource, find_dataset


@pytest.fixture(scope="module")
def digits(tmp_path_factory):
    """scikit-learn's digits at the size of MNIST's, as that is kept; their labels, and what is read of them."""
    folder, loaded = tmp_path_factory.mktemp("digits"), load_digits()
    small = (loaded.images[:400] * 15).astype(np.uint8)
    images = np.stack([np.asarray(Image.fromarray(each).resize((28, 28), 2)) for each in small])
    for prefix, rows in (("train", slice(0, 300)), ("t10k", slice(300, 400))):
        labels = loaded.target[rows].astype(np.uint8)
        shape = struct.pack(">HBB3I", 0, 8, 3, len(labels), 28, 28)
        (folder / f"{prefix}-images-idx3-ubyte").write_bytes(shape + images[rows].tobytes())
        (folder / f"{prefix}-labels-idx1-ubyte").write_bytes(struct.pack(">HBBI", 0, 8, 1, len(labels)) + bytes(labels))
    source = DataSource(str(folder), partial=True)
    return loaded.target[:400], find_dataset("mnist_segmentation").read(source)


def test_bright_pixels_are_of_the_digits_class_and_all_others_background(digits):
    labels, data = digits
    assert data.train.inputs.shape == (300, 56, 56, 1)
    bright = data.train.inputs[..., 0] > 127.5
    assert np.array_equal(data.train.targets, bright * (labels[:300, None, None] + 1))


def test_neither_a_constant_nor_a_linear_model_of_a_neighbourhood_solves_it(digits):
    _, data = digits

    def neighbourhoods(images):
        padded = np.pad(images[:, ::2, ::2, 0] / 255, ((0, 0), (2, 2), (2, 2)))
        return np.lib.stride_tricks.sliding_window_view(padded, (5, 5), (1, 2)).reshape(-1, 25)

    model = RidgeClassifier().fit(neighbourhoods(data.train.inputs), data.train.targets[:, ::2, ::2].ravel())
    truth = data.test.targets[:, ::2, ::2].ravel()
    for found in (model.predict(neighbourhoods(data.test.inputs)), np.ones_like(truth), np.zeros_like(truth)):
        shares = [((found == n) & (truth == n)).sum() / ((found == n) | (truth == n)).sum() for n in range(1, 11)]
        assert np.mean(shares) < 0.2
