"""Any folder of images, one folder a class."""

from pathlib import Path
from typing import Annotated

import numpy as np
from PIL import Image, UnidentifiedImageError
from pydantic import Field
from torchvision.transforms import InterpolationMode
from torchvision.transforms import functional as F

from wavezoo.data.entry import DataOption, DatasetEntry, DataSource
from wavezoo.data.facts import ImageFacts
from wavezoo.data.hub import require_folder
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
    classes = _classes(train)
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


def _classes(folder: Path) -> tuple[str, ...]:
    return tuple(sorted(each.name for each in folder.iterdir() if each.is_dir()))


def _read(folder: Path, facts: ImageFacts, source: DataSource) -> Split:
    unknown = sorted(set(_classes(folder)) - set(facts.classes))
    if unknown:
        raise WavezooError(f"{folder} has the class {unknown[0]!r}, which the training images have not.")
    files = [
        (file, label)
        for label, name in enumerate(facts.classes)
        for file in sorted((folder / name).rglob("*"))
        if file.suffix.lower() in SUFFIXES
    ]
    files = [files[index] for index in source.chosen(len(files))]
    images = [_decode(file, facts.size) for file, _ in files]
    shape = (0, facts.size, facts.size, facts.channels)
    return Split(np.stack(images) if images else np.zeros(shape, np.uint8), np.array([y for _, y in files], np.int64))


def _decode(file: Path, size: int) -> np.ndarray:
    try:
        with Image.open(file) as opened:
            picture = opened.convert("RGB")
    except (OSError, UnidentifiedImageError, Image.DecompressionBombError) as error:
        raise WavezooError(f"{file} is damaged or no image ({error}). Copy it again, or remove it.") from error
    picture = F.resize(picture, size, InterpolationMode.BICUBIC)
    return np.asarray(F.center_crop(picture, [size, size]))


DATASETS = {
    "image_folder": DatasetEntry(
        name="image_folder",
        description="""A folder of images of yours, one folder a class.

Source: data.path, with train/CLASS/*.png and test/CLASS/*.png, and validation/CLASS/*.png if there is one; any format
that Pillow reads. Shorter sides are brought to data.size, the centre is kept, colours are normalised as ImageNet's.
All images are decoded once and kept in memory, 3 bytes a pixel.
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
