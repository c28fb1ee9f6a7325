"""CIFAR-10."""

from wavezoo.data.images import ImageData, ImageDataset, load_hub_images


def _load(path: str | None, limit_samples: int | None) -> ImageData:
    return load_hub_images("uoft-cs/cifar10", path, "img", "label", "RGB", limit_samples)


DATASET = ImageDataset(
    name="cifar10",
    description="""CIFAR-10: photographs of ten kinds of things, 32 x 32, colour.

Source: Krizhevsky 2009, from the 80 million tiny images, licence unstated; on the hub, uoft-cs/cifar10.
Without a network: data.path is a folder in the hub's layout, with plain_text/train-*.parquet and
plain_text/test-*.parquet, columns img and label.
Splits: 50,000 for training, 10,000 for test.""",
    classes=("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"),
    channels=3,
    size=32,
    mean=(0.4914, 0.4822, 0.4465),
    std=(0.2470, 0.2435, 0.2616),
    load=_load,
)
