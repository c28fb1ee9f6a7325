"""Data sets by name."""

from wavezoo.data.entry import DataOption, DatasetEntry, DataSource
from wavezoo.data.facts import Facts, ImageFacts, SequenceFacts
from wavezoo.data.images import cifar, digits, image_folder, mnist
from wavezoo.data.sequences import listops, mnist1d, pathfinder
from wavezoo.data.splits import Split, Splits, TokenRuns
from wavezoo.data.text import text
from wavezoo.errors import not_allowed

__all__ = [
    "DATASETS",
    "DataOption",
    "DataSource",
    "DatasetEntry",
    "Facts",
    "ImageFacts",
    "SequenceFacts",
    "Split",
    "Splits",
    "TokenRuns",
    "find_dataset",
]

MODULES = (digits, mnist, cifar, image_folder, mnist1d, pathfinder, listops, text)
DATASETS: dict[str, DatasetEntry] = {name: entry for module in MODULES for name, entry in module.DATASETS.items()}


def find_dataset(name: str) -> DatasetEntry:
    """Return the data set called ``name``.

    Raises:
        WavezooError: if there is none.
    """
    if name not in DATASETS:
        raise not_allowed("data set", name, DATASETS, "`wavezoo list datasets` describes them.")
    return DATASETS[name]
