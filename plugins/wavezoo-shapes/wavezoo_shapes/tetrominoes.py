"""The data set of tetrominoes: of each pixel, the piece that it belongs to."""

from functools import partial
from pathlib import Path
from typing import Annotated

import numpy as np
from pydantic import Field

from wavezoo.data import DataOption, DatasetEntry, DataSource, ImageFacts, Split, Splits, check_seed, generating
from wavezoo.errors import WavezooError
from wavezoo.files import writing
from wavezoo_shapes.drawing import PIECES, draw

CLASSES = ("background", *PIECES)
# With these, one can always draw on; the numbers of a split's images begin with that of the split.
SPLITS = {"train": 0, "validation": 1, "test": 2}
# Tiles that fit along a side, at least, so that five pieces are soon placed.
FEWEST_TILES = 8


def _facts(source: DataSource) -> ImageFacts:
    size, tile = source.options["size"], source.options["tile"]
    if size < FEWEST_TILES * tile:
        raise WavezooError(
            f"data.size is {size}, room for fewer than {FEWEST_TILES} tiles of data.tile {tile} pixels a side. Give "
            f"{FEWEST_TILES * tile} or more, or a smaller data.tile."
        )
    return ImageFacts(CLASSES, 3, size, (0.083, 0.083, 0.083), (0.238, 0.238, 0.238), target="class_map")


def _load(source: DataSource) -> Splits:
    check_seed(source.seed)
    read = _drawn if source.path is None else partial(_kept, Path(source.path).expanduser())
    return Splits(**{split: read(source, split) for split in SPLITS})


def _drawn(source: DataSource, split: str) -> Split:
    count = source.options["counts"][SPLITS[split]]
    return _draw_some(source, split, source.chosen(count))


def _draw_some(source: DataSource, split: str, indices: np.ndarray) -> Split:
    size, tile = source.options["size"], source.options["tile"]
    images = np.empty((len(indices), size, size, 3), np.uint8)
    masks = np.empty((len(indices), size, size), np.uint8)
    for row, index in enumerate(indices.tolist()):
        images[row], masks[row] = draw(size, tile, source.seed, SPLITS[split], index)
    return Split(images, masks)


def _kept(folder: Path, source: DataSource, split: str) -> Split:
    """Read a split that was drawn before, or draw all and keep it; what a broken-off run has drawn is taken up."""
    made_by = {"task": "tetrominoes", "seed": source.seed, **source.options}
    made_by["counts"] = list(made_by["counts"])
    with generating(folder, made_by) as where:
        for name, number in SPLITS.items():
            if not (file := where / f"{name}.npz").is_file():
                drawn = _draw_some(source, name, np.arange(source.options["counts"][number]))
                with writing(file) as beside, beside.open("wb") as handle:
                    np.savez_compressed(handle, images=drawn.inputs, masks=drawn.targets)
    file = folder / f"{split}.npz"
    try:
        with np.load(file, allow_pickle=False) as arrays:
            images, masks = arrays["images"], arrays["masks"]
        chosen = source.chosen(len(masks))
        return Split(images[chosen], masks[chosen])
    # A damaged archive raises what zipfile, zlib or NumPy like.
    except Exception as error:
        raise WavezooError(f"{file} is damaged ({error}). Remove it; it is drawn again.") from error


TETROMINOES = DatasetEntry(
    name="tetrominoes",
    description="""Tetrominoes: of each pixel, which of five pieces does it belong to? 64 x 64, colour.

Source: drawn here, as Jacobs et al. 2025 describe; no network. One to five different pieces of I, O, T, S/Z and J/L,
turned at random, two of them mirrored at random, in random colours on black, without overlap; the pieces are of tiles
of 7 x 7 pixels with a frame, so that to tell them takes a look of 28 pixels.
data.seed says which are drawn, data.size and data.tile how large; data.path may name a folder to keep them in, which is
written once and read from then on. 12,000 images take a few seconds to draw.
Splits: 10,000 for training, 1,000 for validation, 1,000 for test, or data.counts. Published mean foreground IoU: .983
for a recurrent wave net read as a trajectory, .24 to .66 for convolutions of 2 to 32 layers (Jacobs et al. 2025).""",
    facts=_facts,
    load=_load,
    task="segmentation",
    options={
        "size": DataOption(Annotated[int, Field(ge=8)], 64, "the side of the images, in pixels."),
        "tile": DataOption(Annotated[int, Field(ge=1)], 7, "the side of a tile, in pixels; a piece has four."),
        "counts": DataOption(
            tuple[Annotated[int, Field(ge=1)], Annotated[int, Field(ge=1)], Annotated[int, Field(ge=1)]],
            (10_000, 1_000, 1_000),
            "the numbers of images for training, validation and test.",
        ),
    },
)
