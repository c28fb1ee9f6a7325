"""Images read pixel by pixel are the images of their source, in grey, in averages or in another order."""

import struct

import numpy as np
import pytest
from PIL import Image

from wavezoo.data import DataSource, find_dataset
from wavezoo.errors import WavezooError


def noise(count, *shape):
    return np.random.default_rng(0).integers(0, 256, (count, *shape), dtype=np.uint8)


def write_cifar(folder, images):
    content = b"".join(bytes([index % 10]) + image.transpose(2, 0, 1).tobytes() for index, image in enumerate(images))
    for name in ("data_batch_1", "data_batch_2", "data_batch_3", "data_batch_4", "data_batch_5", "test_batch"):
        (folder / f"{name}.bin").write_bytes(content)


def write_mnist(folder, images):
    labels = (np.arange(len(images)) % 10).astype(np.uint8)
    for prefix in ("train", "t10k"):
        shape = struct.pack(">HBB3I", 0, 8, 3, *images.shape)
        (folder / f"{prefix}-images-idx3-ubyte").write_bytes(shape + images.tobytes())
        (folder / f"{prefix}-labels-idx1-ubyte").write_bytes(struct.pack(">HBBI", 0, 8, 1, len(images)) + bytes(labels))
    return labels


def read(name, folder, **source):
    return find_dataset(name).read(DataSource(str(folder), **{"partial": True, **source}))


@pytest.mark.parametrize(("name", "square"), [("lra_image", 1), ("lra_image_16", 2)])
def test_cifar_in_grey_is_averaged_over_squares_with_the_last_tenth_for_validation(name, square, tmp_path):
    images = noise(8, 32, 32, 3)
    write_cifar(tmp_path, images)
    data = read(name, tmp_path)
    grey = np.stack([np.asarray(Image.fromarray(image).convert("L")) for image in images])
    averaged = grey.reshape(8, 32 // square, square, 32 // square, square).mean((2, 4))
    assert np.abs(data.test.inputs[..., 0] - averaged).max() <= 1
    assert [len(data.train), len(data.validation)] == [36, 4]
    assert np.array_equal(data.validation.inputs, data.test.inputs[-4:])
    assert data.test.inputs.shape[1:] == (*find_dataset(name).facts_at(DataSource()).grid, 1)


def test_the_pixels_of_every_digit_come_in_one_order_fixed_by_its_seed(tmp_path):
    images = noise(300, 28, 28)
    labels = write_mnist(tmp_path, images)
    plain, permuted = read("smnist", tmp_path), read("psmnist", tmp_path)
    assert np.array_equal(plain.train.inputs[..., 0], images)
    order = np.random.default_rng(0).permutation(784)
    assert np.array_equal(permuted.train.inputs.reshape(300, -1), images.reshape(300, -1)[:, order])
    assert np.array_equal(permuted.test.inputs, read("psmnist", tmp_path, seed=5).test.inputs)
    assert np.array_equal(permuted.test.targets, labels)
    other = read("psmnist", tmp_path, options={"permutation": 1})
    assert (other.test.inputs != permuted.test.inputs).mean() > 0.9


def test_a_part_is_held_back_and_other_images_have_their_own_normalisation(tmp_path):
    write_mnist(tmp_path, noise(40, 28, 28))
    clothes = {"images": "fashion_mnist"}
    data = read("psmnist", tmp_path, options=clothes, validation=0.25)
    assert [len(data.train), len(data.validation), len(data.test)] == [30, 10, 40]
    source = DataSource(options=clothes)
    assert find_dataset("psmnist").facts_at(source).mean == find_dataset("fashion_mnist").facts.mean
    with pytest.raises(WavezooError, match="has 60,000 samples, this copy 40"):
        read("smnist", tmp_path, partial=False)
