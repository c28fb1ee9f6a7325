"""Data sets by name: facts, splits, and where to find them."""

from wavezoo.data.entry import DataOption, DatasetEntry, DataSource
from wavezoo.data.facts import Facts, ImageFacts, SequenceFacts, TextFacts
from wavezoo.data.generation import check_seed, generating
from wavezoo.data.splits import Split, Splits, TokenRuns, TokenStream, hold_back
from wavezoo.plugins.registry import registry

__all__ = [
    "DataOption",
    "DataSource",
    "DatasetEntry",
    "Facts",
    "ImageFacts",
    "SequenceFacts",
    "Split",
    "Splits",
    "TextFacts",
    "TokenRuns",
    "TokenStream",
    "check_seed",
    "find_dataset",
    "generating",
    "hold_back",
]


def find_dataset(name: str) -> DatasetEntry:
    """Return the data set called ``name``, of wavezoo or of a plugin.

    Raises:
        WavezooError: if there is none; the message lists the names, nearest first.
    """
    return registry.find("datasets", name)
