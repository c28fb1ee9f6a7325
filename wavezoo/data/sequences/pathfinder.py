"""Pathfinder and Path-X: are two discs the ends of one dashed curve? Read, and generated."""

import warnings
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image

from wavezoo.data.entry import PIXELS_AS_TOKENS, DatasetEntry, DataSource
from wavezoo.data.facts import ImageFacts
from wavezoo.data.folders import files_below
from wavezoo.data.generation import check_seed, generating, read_note
from wavezoo.data.hub import require_folder, whole_labels
from wavezoo.data.pictures import eight_bits
from wavezoo.data.sequences.pathfinder_drawers import Drawers, Drawn
from wavezoo.data.sequences.pathfinder_task import TASKS
from wavezoo.data.splits import Split, Splits
from wavezoo.errors import DataWarning, WavezooError, not_allowed
from wavezoo.files import writing

CLASSES = ("apart", "connected")
# Samples in one folder, written as a whole; what an interrupted generation continues at.
SHARD = 1000
# Images that a process draws at a time.
JOB = 50
# Dashes of a target curve: easy, intermediate and hard. The release's folders are curv_baseline and
# curv_contour_length_9 and _14.
CONTOUR_LENGTHS = (6, 9, 14)


def generate(
    out: Path,
    size: int,
    count: int,
    seed: int,
    workers: int,
    advanced: Callable[[int], None],
    contour_length: int = 14,
) -> None:
    """Write images and labels as the Long Range Arena's release has them, ``imgs/N/*.png`` and ``metadata/N.npy``.

    Args:
        out: the folder; it appears when all is there, and a generation that was broken off is continued.
        size: 32 for Pathfinder, 128 for Path-X.
        count: number of images.
        seed: the same seed gives the same images, whatever the number of workers.
        workers: processes.
        advanced: is told how many more images are done.
        contour_length: dashes of a target curve: 6 is easy, 9 intermediate, 14 hard, the benchmark's.

    Raises:
        WavezooError: if there is no such size, contour length or seed, if the folder cannot be written or holds
            something else, or if a process was killed.
    """
    if size not in TASKS:
        raise not_allowed("size", size, TASKS)
    if contour_length not in CONTOUR_LENGTHS:
        raise not_allowed("contour_length", contour_length, CONTOUR_LENGTHS)
    for what, number in (("count", count), ("workers", workers)):
        if number < 1:
            raise WavezooError(f"{what} is {number}; give at least 1.")
    check_seed(seed)
    task = replace(TASKS[size], target_segments=contour_length)
    made_by = {"task": "pathfinder", "size": size, "contour_length": contour_length, "count": count, "seed": seed}
    shards = {shard: range(shard * SHARD, min((shard + 1) * SHARD, count)) for shard in range(-(-count // SHARD))}
    with generating(out, made_by) as folder:
        missing = {shard: images for shard, images in shards.items() if not _metadata_file(folder, shard).is_file()}
        advanced(count - sum(len(images) for images in missing.values()))
        jobs = [images[start : start + JOB] for images in missing.values() for start in range(0, len(images), JOB)]
        if not jobs:
            return
        with Drawers(min(workers, len(jobs))) as drawers:
            parts = drawers.draw(task, seed, jobs)
            for shard, images in missing.items():
                drawn: list[Drawn] = []
                while len(drawn) < len(images):
                    drawn += (part := next(parts))
                    advanced(len(part))
                _write_shard(folder, shard, drawn)


def _write_shard(out: Path, shard: int, drawn: list[Drawn]) -> None:
    lines = []
    for number, label, png in drawn:
        with writing(out / "imgs" / str(shard) / f"sample_{number % SHARD}.png") as beside:
            beside.write_bytes(png)
        lines.append(f"imgs/{shard} sample_{number % SHARD}.png {number} {label}\n")
    # Last, so that a shard with its metadata is whole.
    with writing(_metadata_file(out, shard)) as beside:
        beside.write_text("".join(lines), encoding="utf-8")


def _metadata_file(out: Path, shard: int) -> Path:
    return out / "metadata" / f"{shard}.npy"


def _load(size: int, source: DataSource) -> Splits:
    name = NAMES[size]
    if source.path is None:
        raise WavezooError(
            f"{name} needs data.path: a folder of the Long Range Arena's release with imgs and metadata, or "
            f"`wavezoo generate pathfinder --size {size} --out DIR`."
        )
    folder = require_folder(source.path)
    listed = files_below(folder / "metadata") if (folder / "metadata").is_dir() else []
    files = sorted((each for each in listed if each.suffix == ".npy"), key=lambda file: (len(file.stem), file.stem))
    if not files:
        raise WavezooError(f"data.path {folder} has no metadata/*.npy; it is no folder of Pathfinder images.")
    entries = [entry for file in files for entry in _entries(file)]
    wanted = (read_note(folder) or {}).get("count")
    if isinstance(wanted, int) and len(entries) < wanted:
        raise WavezooError(
            f"{folder} holds {len(entries):,} of {wanted:,} images: some are lost. Run the same `wavezoo generate` "
            "again; it makes what is missing."
        )
    tenth = len(entries) // 10
    cuts = {"train": entries[: len(entries) - 2 * tenth], "validation": entries[-2 * tenth : -tenth or None]}
    cuts["test"] = entries[-tenth:] if tenth else []
    return Splits(*(_read_images(folder, cuts[split], size, source) for split in ("train", "test", "validation")))


def _entries(file: Path) -> list[tuple[str, int]]:
    """Return the images that a metadata file lists, by their paths, and their labels: its fourth field."""
    try:
        rows = [line.split() for line in file.read_text(encoding="utf-8").splitlines()]
        labels = whole_labels((row[3] for row in rows), str(file))
        return [(f"{row[0]}/{row[1]}", label) for row, label in zip(rows, labels.tolist(), strict=True)]
    except (OSError, ValueError, IndexError) as error:
        raise WavezooError(f"{file} is damaged or cut short ({error}). Copy it again.") from error


def _read_images(folder: Path, entries: list[tuple[str, int]], size: int, source: DataSource) -> Split:
    entries = [entries[index] for index in source.chosen(len(entries))]
    images = np.empty((len(entries), size, size, 1), np.uint8)
    empty = []
    for row, (name, _) in enumerate(entries):
        try:
            if (folder / name).stat().st_size == 0:
                empty.append(row)
                continue
            with Image.open(folder / name) as image:
                images[row, :, :, 0] = np.asarray(eight_bits(image, "L"))
        # Pillow's readers raise what they like on damaged files: OSError, SyntaxError, ValueError, struct.error.
        except Exception as error:
            raise WavezooError(
                f"{folder / name} is missing, damaged or not {size} x {size} ({error}). Copy it again."
            ) from error
    labels = np.array([label for _, label in entries], np.int64)
    if not empty:
        return Split(images, labels)
    # The release itself has one, sample_172.png of curv_baseline.
    warnings.warn(
        f"{folder}: {len(empty)} of {len(entries):,} images are left out, files without content, such as "
        f"{entries[empty[0]][0]}.",
        DataWarning,
        stacklevel=2,
    )
    return Split(np.delete(images, empty, 0), np.delete(labels, empty))


NAMES = {32: "lra_pathfinder", 128: "lra_pathx"}


def _entry(size: int, title: str, mean: float, std: float) -> DatasetEntry:
    return DatasetEntry(
        name=NAMES[size],
        description=f"""{title}: do two discs lie at the ends of one dashed curve? {size} x {size}, grey.

Source: Linsley et al. 2018, as in the Long Range Arena (Tay et al. 2021), Apache-2.0. data.path is a folder of its
release with imgs and metadata (pathfinder{size}/curv_contour_length_14, the hard one), or made by
`wavezoo generate pathfinder --size {size} --count 200000 --out DIR`; --contour-length 9 and 6 are easier.
A sequence model takes the {size * size} intensities, or 256 byte tokens (data.tokens: true); an image model the images.
Splits: the first 80 % for training, then 10 % for validation and 10 % for test (200,000 in the release).""",
        facts=lambda source: ImageFacts(CLASSES, 1, size, (mean,), (std,), tokens=source.options["tokens"]),
        load=partial(_load, size),
        options={"tokens": PIXELS_AS_TOKENS},
    )


DATASETS = {
    entry.name: entry
    for entry in (
        _entry(32, "Long Range Arena, Pathfinder", 0.080, 0.201),
        _entry(128, "Long Range Arena, Path-X", 0.032, 0.144),
    )
}
