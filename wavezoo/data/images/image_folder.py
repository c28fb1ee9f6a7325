"""Any folder of images, one folder a class."""

from pathlib import Path
from typing import Annotated

import numpy as np
from PIL import Image
from pydantic import Field

from wavezoo.data.entry import DataOption, DatasetEntry, DataSource
from wavezoo.data.facts import ImageFacts
from wavezoo.data.folders import files_below, folders_in
from wavezoo.data.hub import require_folder
from wavezoo.data.pictures import eight_bits
from wavezoo.data.splits import Split, Splits
from wavezoo.errors import WavezooError

SPLIT_FOLDERS = {"train": ("train",), "validation": ("validation", "valid", "val"), "test": ("test",)}
SUFFIXES = {".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".ppm", ".pgm"}
IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def _facts(source: DataSource) -> ImageFacts:
    size = source.options["size"]
    if size is None:
        raise WavezooError("image_folder needs data.size, the side in pixels that images are brought to.")
    train = _split_folder(_root(source), "train")
    classes = tuple(folder.name for folder in folders_in(train))
    if not classes:
        raise WavezooError(f"{train} has no folders; put the images of each class into a folder with its name.")
    return ImageFacts(classes, 3, size, IMAGENET_MEAN, IMAGENET_STD)


def _load(source: DataSource) -> Splits:
    root, facts = _root(source), _facts(source)
    return Splits(
        _read(_split_folder(root, "train"), facts, source),
        _read(_split_folder(root, "test"), facts, source),
        _read(_split_folder(root, "validation"), facts, source) if _has(root, "validation") else None,
    )


def _root(source: DataSource) -> Path:
    if source.path is None:
        raise WavezooError("image_folder needs data.path, a folder with train/CLASS/*.png and test/CLASS/*.png.")
    return require_folder(source.path)


def _has(root: Path, split: str) -> bool:
    return any((root / name).is_dir() for name in SPLIT_FOLDERS[split])


def _split_folder(root: Path, split: str) -> Path:
    for name in SPLIT_FOLDERS[split]:
        if (root / name).is_dir():
            return root / name
    if split == "test" and _has(root, "validation"):
        raise WavezooError(
            f"{root} has a validation folder and no folder test. Rename it to test if it is the one to report on."
        )
    raise WavezooError(f"{root} has no folder {split}; an image folder has train/CLASS/*.png and test/CLASS/*.png.")


def _read(folder: Path, facts: ImageFacts, source: DataSource) -> Split:
    unknown = sorted({each.name for each in folders_in(folder)} - set(facts.classes))
    if unknown:
        raise WavezooError(f"{folder} has the class {unknown[0]!r}, which the training images have not.")
    files = [
        (file, label)
        for label, name in enumerate(facts.classes)
        if (folder / name).is_dir()
        for file in files_below(folder / name)
        if file.suffix.lower() in SUFFIXES
    ]
    files = [files[index] for index in source.chosen(len(files))]
    images = np.empty((len(files), facts.size, facts.size, facts.channels), np.uint8)
    for row, (file, _) in enumerate(files):
        images[row] = _decode(file, facts.size)
    return Split(images, np.array([label for _, label in files], np.int64))


def _decode(file: Path, size: int) -> np.ndarray:
    try:
        with Image.open(file) as opened:
            picture = eight_bits(opened, "RGB")
        # Pillow's readers raise what they like on damaged files: OSError, SyntaxError, ValueError, struct.error.
    except Exception as error:
        raise WavezooError(f"{file} is damaged or no image ({error}). Copy it again, or remove it.") from error
    width, height = picture.size
    side = min(width, height)
    left, top = (width - side) / 2, (height - side) / 2
    return np.asarray(picture.resize((size, size), Image.Resampling.BICUBIC, (left, top, left + side, top + side)))


DATASETS = {
    "image_folder": DatasetEntry(
        name="image_folder",
        description="""A folder of images of yours, one folder a class.

Source: data.path, with train/CLASS/*.png and test/CLASS/*.png, and validation/CLASS/*.png if there is one; any format
that Pillow reads, 8 or 16 bits. Hidden files and folders are left out. Shorter sides are brought to data.size, the
centre is kept, colours are normalised as ImageNet's. All images are decoded once and kept in memory, 3 bytes a pixel.
Splits: the folders; or a part of train for validation, by data.validation.""",
        facts=_facts,
        load=_load,
        options={
            "size": DataOption(
                Annotated[int, Field(ge=1)] | None, None, "the side in pixels that images are brought to."
            )
        },
    )
}
