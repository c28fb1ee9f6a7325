"""MNIST enlarged: the digit that each pixel belongs to."""

from dataclasses import replace
from typing import cast

import numpy as np
from PIL import Image

from wavezoo.data.entry import DatasetEntry, DataSource
from wavezoo.data.facts import ImageFacts
from wavezoo.data.images.mnist import IMAGES, chosen_images
from wavezoo.data.splits import Split, Splits

SIDE = 56
# Of 255: brighter pixels belong to what the image shows.
INK_ABOVE = 127.5


def _facts(source: DataSource) -> ImageFacts:
    facts = cast(ImageFacts, chosen_images(source).facts_at(DataSource()))
    return replace(facts, classes=("background", *facts.classes), size=SIDE, target="class_map")


def _load(source: DataSource) -> Splits:
    small = chosen_images(source).read(replace(source, options={}, validation=0.0))
    return Splits(_enlarged(small.train), _enlarged(small.test))


def _enlarged(split: Split) -> Split:
    images = np.empty((len(split), SIDE, SIDE, 1), np.uint8)
    for large, image in zip(images, cast(np.ndarray, split.inputs), strict=True):
        large[..., 0] = np.asarray(Image.fromarray(image[..., 0]).resize((SIDE, SIDE), Image.Resampling.BILINEAR))
    labels = (split.targets + 1).astype(np.uint8)[:, None, None]
    return Split(images, (images[..., 0] > INK_ABOVE) * labels)


DATASETS = {
    "mnist_segmentation": DatasetEntry(
        name="mnist_segmentation",
        description="""MNIST segmentation: of each pixel of a digit, which digit is it? 56 x 56, grey.

Source: Jacobs et al. 2025, from MNIST, enlarged (bilinear); pixels brighter than one half are of the class of the
digit, all others background. data.images: fashion_mnist takes Fashion-MNIST instead. See there for licences and local
copies (data.path).
Splits: 60,000 for training, 10,000 for test; data.validation holds back a part of the former. Published mean foreground
IoU: .884 for a recurrent wave net read as a trajectory, .489 read at its end, .55 for convolutions at best.""",
        facts=_facts,
        load=_load,
        task="segmentation",
        counts={"train": 60_000, "test": 10_000},
        options={"images": IMAGES},
        columns={"image": "image", "label": "label"},
    )
}
