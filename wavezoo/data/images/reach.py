"""Mazes with one marked cell, and which cells it reaches."""

from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from wavezoo.data.entry import DataOption, DatasetEntry, DataSource
from wavezoo.data.facts import ImageFacts
from wavezoo.data.generation import check_seed
from wavezoo.data.images.mazes import depth_first_maze, distances, parts, percolation
from wavezoo.data.splits import Split, Splits
from wavezoo.errors import WavezooError

MAPS = {"maze": depth_first_maze, "percolation": percolation}
# With these, one can always draw on; the numbers of a split's samples begin with that of the split.
SPLITS = {"train": 0, "validation": 1, "test": 2}
# Channels: walls, the marked cell, and ones, which tell the grid from what a convolution pads it with.
CHANNELS = 3


def _facts(source: DataSource) -> ImageFacts:
    size = source.options["size"]
    if source.options["kind"] == "maze" and size % 2 == 0:
        raise WavezooError(f"data.size is {size}; the side of a maze is odd. Give {size - 1} or {size + 1}.")
    return ImageFacts((), CHANNELS, size, (0.0,) * CHANNELS, (1.0,) * CHANNELS, target="distance")


def _load(source: DataSource) -> Splits:
    if source.path is not None:
        raise WavezooError(f"data.path is {source.path!r}, but mazes are drawn when asked for. Leave data.path out.")
    check_seed(source.seed)
    return Splits(**{split: _drawn(source, split) for split in SPLITS})


def _drawn(source: DataSource, split: str) -> Split:
    size, draw = source.options["size"], MAPS[source.options["kind"]]
    indices = source.chosen(source.options["counts"][SPLITS[split]])
    inputs = np.zeros((len(indices), size, size, CHANNELS), np.uint8)
    targets = np.empty((len(indices), size, size), np.float32)
    for row, index in enumerate(indices.tolist()):
        rng = np.random.default_rng([source.seed, SPLITS[split], index])
        free = draw(size, rng)
        while not free.any():
            free = draw(size, rng)
        marked = _marked(free, rng)
        inputs[row, ..., 0] = 255 * ~free
        inputs[row].reshape(-1, CHANNELS)[marked, 1] = 255
        targets[row] = distances(free, marked)
    inputs[..., 2] = 255
    return Split(inputs, targets)


def _marked(free: np.ndarray, rng: np.random.Generator) -> int:
    """Return a random cell of the largest or, as often, of the second part."""
    found = parts(free)
    part = found[rng.integers(min(len(found), 2))]
    return int(rng.choice(part))


AT_LEAST_ONE = Annotated[int, Field(ge=1)]
DATASETS = {
    "reach": DatasetEntry(
        name="reach",
        description="""Reach: which cells of a maze does a marked one reach? 17 x 17, or as large as asked for.

Source: drawn here; no network. Mazes by depth-first search with passages walled up at random until the largest part
holds about half of the free cells; data.kind: percolation takes cells that are free with probability 0.6 instead. One
cell is marked, of the largest or of the second part, with equal chance. Channels: walls, the marked cell, ones. The
target is the length of the shortest path from it to each cell.
data.size is the side. A model trained on small mazes is tested on larger ones by
`wavezoo evaluate RUN --set data.size=33 --set data.counts=[1,1,1000] --details`. data.seed says which are drawn.
Splits: 10,000 for training, 1,000 for validation, 1,000 for test, or data.counts.""",
        facts=_facts,
        load=_load,
        task="reach",
        options={
            "size": DataOption(Annotated[int, Field(ge=5, le=1025)], 17, "the side of the mazes, in cells, odd."),
            "kind": DataOption(Literal["maze", "percolation"], "maze", "how walls are drawn."),
            "counts": DataOption(
                tuple[AT_LEAST_ONE, AT_LEAST_ONE, AT_LEAST_ONE],
                (10_000, 1_000, 1_000),
                "the numbers of mazes for training, validation and test.",
            ),
        },
    )
}
