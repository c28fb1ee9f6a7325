"""The data sets that come with wavezoo."""

from wavezoo.data.entry import DatasetEntry
from wavezoo.data.images import cifar, digits, image_folder, mnist, mnist_segmentation, reach
from wavezoo.data.sequences import listops, mnist1d, pathfinder, pixels
from wavezoo.data.text import corpora, text

MODULES = (
    digits,
    mnist,
    mnist_segmentation,
    reach,
    cifar,
    image_folder,
    mnist1d,
    pixels,
    pathfinder,
    listops,
    text,
    corpora,
)
DATASETS: dict[str, DatasetEntry] = {name: entry for module in MODULES for name, entry in module.DATASETS.items()}
