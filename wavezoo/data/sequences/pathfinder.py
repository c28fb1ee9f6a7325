"""Pathfinder and Path-X: are two discs the ends of one dashed curve? Read, and generated."""

import json
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from functools import partial
from io import BytesIO
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from PIL import Image

from wavezoo.data.entry import PIXELS_AS_TOKENS, DatasetEntry, DataSource
from wavezoo.data.facts import ImageFacts
from wavezoo.data.hub import require_folder
from wavezoo.data.sequences.listops import check_same
from wavezoo.data.sequences.pathfinder_images import TASKS, Task, draw_image
from wavezoo.data.splits import Split, Splits
from wavezoo.errors import WavezooError, not_allowed
from wavezoo.files import writing

CLASSES = ("apart", "connected")
# Samples in one folder, written as a whole; what an interrupted generation continues at.
SHARD = 1000
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
        out: the folder; a generation that was broken off there is continued.
        size: 32 for Pathfinder, 128 for Path-X.
        count: number of images.
        seed: the same seed gives the same images, whatever the number of workers.
        workers: processes.
        advanced: is told how many more images are done.
        contour_length: dashes of a target curve: 6 is easy, 9 intermediate, 14 hard, the benchmark's.

    Raises:
        WavezooError: if there is no such size or contour length, or if the folder cannot be written or holds something
            else.
    """
    if size not in TASKS:
        raise not_allowed("size", size, TASKS)
    if contour_length not in CONTOUR_LENGTHS:
        raise not_allowed("contour_length", contour_length, CONTOUR_LENGTHS)
    task = replace(TASKS[size], target_segments=contour_length)
    for what, number in (("count", count), ("workers", workers)):
        if number < 1:
            raise WavezooError(f"{what} is {number}; give at least 1.")
    made_by = {"task": "pathfinder", "size": size, "contour_length": contour_length, "count": count, "seed": seed}
    check_same(out, made_by)
    shards = [(shard, range(shard * SHARD, min((shard + 1) * SHARD, count))) for shard in range(-(-count // SHARD))]
    missing = []
    for shard, indices in shards:
        if _metadata_file(out, shard).is_file():
            advanced(len(indices))
        else:
            missing.append((shard, indices))
    # Started afresh: a forked child of a process with threads may hang.
    with ProcessPoolExecutor(workers, get_context("spawn")) as pool:
        running = [
            (shard, [pool.submit(_draw_some, task, seed, part) for part in _parts(indices)])
            for shard, indices in missing
        ]
        try:
            for shard, futures in running:
                drawn = []
                for future in futures:
                    drawn += future.result()
                    advanced(len(future.result()))
                _write_shard(out, shard, drawn)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _parts(indices: range) -> list[range]:
    return [indices[start : start + 50] for start in range(0, len(indices), 50)]


def _draw_some(task: Task, seed: int, indices: range) -> list[tuple[int, bytes, int]]:
    drawn = []
    for index in indices:
        image, label = draw_image(task, seed, index)
        buffer = BytesIO()
        Image.fromarray(image).save(buffer, "png")
        drawn.append((index, buffer.getvalue(), label))
    return drawn


def _write_shard(out: Path, shard: int, drawn: list[tuple[int, bytes, int]]) -> None:
    folder = out / "imgs" / str(shard)
    lines = []
    for index, content, label in drawn:
        with writing(folder / f"sample_{index % SHARD}.png") as beside:
            beside.write_bytes(content)
        lines.append(f"imgs/{shard} sample_{index % SHARD}.png {index} {label}\n")
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
    files = sorted((folder / "metadata").glob("*.npy"), key=lambda file: (len(file.stem), file.stem))
    if not files:
        raise WavezooError(f"data.path {folder} has no metadata/*.npy; it is no folder of Pathfinder images.")
    entries = [entry for file in files for entry in _entries(file)]
    made_by = folder / "made_by.json"
    if made_by.is_file() and len(entries) < (wanted := json.loads(made_by.read_text(encoding="utf-8"))["count"]):
        raise WavezooError(
            f"{folder} holds {len(entries):,} of {wanted:,} images: its generation was broken off. Run the same "
            "`wavezoo generate` again; it continues."
        )
    tenth = len(entries) // 10
    cuts = {"train": entries[: len(entries) - 2 * tenth], "validation": entries[-2 * tenth : -tenth or None]}
    cuts["test"] = entries[-tenth:] if tenth else []
    return Splits(*(_read_images(folder, cuts[split], size, source) for split in ("train", "test", "validation")))


def _entries(file: Path) -> list[tuple[str, int]]:
    """Return the images that a metadata file lists, by their paths, and their labels: its fourth field."""
    try:
        rows = [line.split() for line in file.read_text(encoding="utf-8").splitlines()]
        return [(f"{row[0]}/{row[1]}", int(row[3])) for row in rows]
    except (OSError, ValueError, IndexError) as error:
        raise WavezooError(f"{file} is damaged or cut short ({error}). Copy it again.") from error


def _read_images(folder: Path, entries: list[tuple[str, int]], size: int, source: DataSource) -> Split:
    entries = [entries[index] for index in source.chosen(len(entries))]
    images = np.empty((len(entries), size, size, 1), np.uint8)
    for row, (name, _) in enumerate(entries):
        try:
            with Image.open(folder / name) as image:
                images[row, :, :, 0] = np.asarray(image.convert("L"))
        except (OSError, ValueError) as error:
            raise WavezooError(
                f"{folder / name} is missing, damaged or not {size} x {size} ({error}). Copy it again."
            ) from error
    return Split(images, np.array([label for _, label in entries], np.int64))


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
