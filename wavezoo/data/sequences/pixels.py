"""Images read pixel by pixel, row after row: CIFAR-10 in grey, and MNIST in its order or in another."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Annotated, cast

import numpy as np
from pydantic import Field

from wavezoo.data.entry import PIXELS_AS_TOKENS, DataOption, DatasetEntry, DataSource
from wavezoo.data.facts import ImageFacts
from wavezoo.data.generation import LARGEST_SEED
from wavezoo.data.images import cifar, mnist
from wavezoo.data.splits import Split, Splits

# That of ITU-R 601-2, as Pillow's mode L has it.
LUMA = np.array([299, 587, 114]) / 1000


# Images that are changed at once: what is in between is of eight times the size.
AT_ONCE = 256


def _mapped(split: Split, change: Callable[[np.ndarray], np.ndarray]) -> Split:
    """Return the split with its images changed, ``(M, H, W, C) -> (M, H', W', 1)``, uint8, some at a time."""
    images = cast(np.ndarray, split.inputs)
    parts = [change(images[first : first + AT_ONCE]) for first in range(0, max(1, len(images)), AT_ONCE)]
    return Split(np.concatenate(parts), split.targets)


def _grey(side: int, images: np.ndarray) -> np.ndarray:
    """Return the brightness of images ``(M, H, H, 3)``, averaged over squares, ``(M, side, side, 1)``."""
    square = images.shape[1] // side
    brightness = (images @ LUMA).reshape(-1, side, square, side, square).mean((2, 4))
    return np.round(brightness[..., None]).astype(np.uint8)


def _load_grey(side: int, source: DataSource) -> Splits:
    colour = cifar.DATASETS["cifar10"].read(replace(source, options={}, validation=0.0))
    grey = partial(_grey, side)
    kept = len(colour.train) - len(colour.train) // 10
    train, validation = (colour.train.part(rows) for rows in np.split(np.arange(len(colour.train)), [kept]))
    return Splits(_mapped(train, grey), _mapped(colour.test, grey), _mapped(validation, grey))


def _mnist_facts(source: DataSource) -> ImageFacts:
    facts = cast(ImageFacts, mnist.chosen_images(source).facts_at(DataSource()))
    return replace(facts, tokens=source.options["tokens"])


def _load_mnist(permuted: bool, source: DataSource) -> Splits:
    splits = mnist.chosen_images(source).read(replace(source, options={}, validation=0.0))
    if not permuted:
        return splits
    order = np.random.default_rng(source.options["permutation"]).permutation(28 * 28)

    def permute(images: np.ndarray) -> np.ndarray:
        return images.reshape(len(images), -1)[:, order].reshape(images.shape)

    return Splits(_mapped(splits.train, permute), _mapped(splits.test, permute))


def _grey_entry(name: str, side: int, mean: float, std: float, title: str, published: str) -> DatasetEntry:
    return DatasetEntry(
        name=name,
        description=f"""{title}, read pixel by pixel as a sequence of {side * side}.

Source: {published}, from CIFAR-10; see there for licence and local copies (data.path).
A sequence model takes intensities, normalised with mean {255 * mean:.1f}/255 and standard deviation
{255 * std:.1f}/255, or 256 byte tokens (data.tokens: true); an image model takes the grey images.
Splits: the last 10 % of the 50,000 training images are for validation, the 10,000 test images for test.""",
        facts=lambda source: ImageFacts(cifar.CLASSES_10, 1, side, (mean,), (std,), tokens=source.options["tokens"]),
        load=partial(_load_grey, side),
        counts={"train": 45_000, "validation": 5_000, "test": 10_000},
        options={"tokens": PIXELS_AS_TOKENS},
        columns=cifar.DATASETS["cifar10"].columns,
    )


PERMUTATION = DataOption(
    Annotated[int, Field(ge=0, le=LARGEST_SEED)], 0, "the seed of the permutation, the same one for every image."
)


def _mnist_entry(name: str, permuted: bool, title: str, remark: str) -> DatasetEntry:
    options = {"images": mnist.IMAGES, "tokens": PIXELS_AS_TOKENS}
    return DatasetEntry(
        name=name,
        description=f"""{title}: the 784 pixels of a digit, one by one.

Source: Le, Jaitly and Hinton 2015, from MNIST; data.images: fashion_mnist takes Fashion-MNIST instead. See there for
licences and local copies (data.path).
{remark}
A sequence model takes intensities, or 256 byte tokens (data.tokens: true); an image model the images.
Splits: 60,000 for training, 10,000 for test; data.validation holds back a part of the former.""",
        facts=_mnist_facts,
        load=partial(_load_mnist, permuted),
        counts={"train": 60_000, "test": 10_000},
        options=options | ({"permutation": PERMUTATION} if permuted else {}),
        columns=mnist.DATASETS["mnist"].columns,
    )


DATASETS = {
    entry.name: entry
    for entry in (
        _mnist_entry("smnist", False, "Sequential MNIST", "The pixels come row by row."),
        _mnist_entry(
            "psmnist",
            True,
            "Permuted sequential MNIST",
            "The pixels come in one random order, drawn by data.permutation, so that neighbours in the image are far\n"
            "apart. Published: coRNN 97.3 % (Rusch and Mishra 2021), wave RNN 96.7 % (Keller et al. 2024), S4 98.7 %\n"
            "(Gu et al. 2022).",
        ),
        _grey_entry(
            "lra_image",
            32,
            122.6 / 255,
            61 / 255,
            "Long Range Arena, Image: CIFAR-10 in grey",
            "Tay et al. 2021 (Long Range Arena), normalised as in S4 (Gu et al. 2022)",
        ),
        _grey_entry(
            "lra_image_16",
            16,
            0.4811,
            0.2304,
            "CIFAR-10 in grey, averaged to 16 x 16",
            "the Image task of the Long Range Arena (Tay et al. 2021) made four times as short",
        ),
    )
}
