"""Small copies of every data set that can be read from a folder, in every layout that it is read from."""

import csv
import gzip
import io
import struct

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from wavezoo.data import find_dataset

SPLITS = ("train", "test")


def pixels(count, *shape, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (count, *shape), dtype=np.uint8)


def png(image):
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "png")
    return buffer.getvalue()


def write_hub(folder, name, labels):
    entry = find_dataset(name)
    (folder / "plain_text").mkdir()
    for seed, split in enumerate(SPLITS):
        size, channels = entry.facts.size, entry.facts.channels
        shape = (size, size, 3)[: 2 + (channels == 3)]
        cells = [{"bytes": png(image), "path": None} for image in pixels(len(labels), *shape, seed=seed)]
        image_column, label_column = entry.columns["image"], entry.columns["label"]
        features = '{"info": {"features": {"%s": {"_type": "Image"}, "%s": {"dtype": "int64", "_type": "Value"}}}}'
        table = pa.table({image_column: cells, label_column: labels})
        table = table.replace_schema_metadata({"huggingface": features % (image_column, label_column)})
        pq.write_table(table, folder / "plain_text" / f"{split}-00000-of-00001.parquet")


def write_idx(folder, name, labels, compress=False):
    count = len(labels)
    for seed, prefix in enumerate(("train", "t10k")):
        contents = {
            f"{prefix}-images-idx3-ubyte": struct.pack(">HBB3I", 0, 8, 3, count, 28, 28)
            + pixels(count, 28, 28, seed=seed).tobytes(),
            f"{prefix}-labels-idx1-ubyte": struct.pack(">HBB1I", 0, 8, 1, count) + labels.astype(np.uint8).tobytes(),
        }
        for file, content in contents.items():
            (folder / (f"{file}.gz" if compress else file)).write_bytes(gzip.compress(content) if compress else content)


def write_idx_gz(folder, name, labels):
    write_idx(folder, name, labels, compress=True)


def write_cifar_binary(folder, name, labels):
    if name == "cifar100":
        groups = {"train.bin": labels, "test.bin": labels}
    else:
        parts = np.array_split(labels, 5)
        groups = {f"data_batch_{n}.bin": part for n, part in enumerate(parts, 1)} | {"test_batch.bin": labels}
    for seed, (file, part) in enumerate(groups.items()):
        images = pixels(len(part), 3072, seed=seed)
        first = np.zeros((len(part), 0 if name != "cifar100" else 1), np.uint8)
        rows = np.concatenate([first, part[:, None].astype(np.uint8), images], 1)
        (folder / file).write_bytes(rows.tobytes())


def write_image_folder(folder, name, labels):
    for split in SPLITS:
        for index, label in enumerate(labels):
            (folder / split / f"c{label:03}").mkdir(parents=True, exist_ok=True)
            (folder / split / f"c{label:03}" / f"{index}.png").write_bytes(png(pixels(1, 9, 8, 3, seed=index)[0]))


def write_pathfinder(folder, name, labels):
    size = SIDES[name]
    (folder / "imgs" / "0").mkdir(parents=True)
    (folder / "metadata").mkdir()
    lines = []
    for index, label in enumerate(labels):
        (folder / "imgs" / "0" / f"sample_{index}.png").write_bytes(png(pixels(1, size, size, seed=index)[0]))
        lines.append(f"imgs/0 sample_{index}.png {index} {label}\n")
    (folder / "metadata" / "0.npy").write_text("".join(lines))


SIDES = {"lra_pathfinder": 32, "lra_pathx": 128}


def write_listops(folder, name, labels):
    for file in ("basic_train.tsv", "basic_val.tsv", "basic_test.tsv"):
        rows = "".join(f"( [MAX {label} {label} ] )\t{label}\n" for label in labels)
        (folder / file).write_text("Source\tTarget\n" + rows)


def write_text_folder(folder, name, labels):
    for split in SPLITS:
        for index, label in enumerate(labels):
            (folder / split / f"c{label}").mkdir(parents=True, exist_ok=True)
            (folder / split / f"c{label}" / f"{index}.txt").write_text(f"text {index}, naïve")


def write_text_csv(folder, name, labels):
    for split in SPLITS:
        with (folder / f"{split}.csv").open("w", newline="") as file:
            csv.writer(file).writerows(
                [("text", "label"), *((f"text {index}", label) for index, label in enumerate(labels))]
            )


# Writers of a copy whose samples are sorted by these labels, and how many classes it may have.
WRITERS = {
    ("mnist", "idx"): (write_idx, 10),
    ("fashion_mnist", "idx.gz"): (write_idx_gz, 10),
    ("mnist", "hub"): (write_hub, 10),
    ("fashion_mnist", "hub"): (write_hub, 10),
    ("cifar10", "binary"): (write_cifar_binary, 10),
    ("cifar100", "binary"): (write_cifar_binary, 100),
    ("cifar10", "hub"): (write_hub, 10),
    ("cifar100", "hub"): (write_hub, 100),
    ("lra_image", "binary"): (write_cifar_binary, 10),
    ("lra_image_16", "binary"): (write_cifar_binary, 10),
    ("mnist_segmentation", "idx"): (write_idx, 10),
    ("smnist", "idx"): (write_idx, 10),
    ("psmnist", "idx.gz"): (write_idx_gz, 10),
    ("image_folder", "folders"): (write_image_folder, 4),
    ("lra_pathfinder", "release"): (write_pathfinder, 2),
    ("lra_pathx", "release"): (write_pathfinder, 2),
    ("listops", "tsv"): (write_listops, 10),
    ("text", "folders"): (write_text_folder, 4),
    ("text", "csv"): (write_text_csv, 2),
}
OPTIONS = {"image_folder": {"size": 8}}


class Copies:
    """Writes small copies.

    Attributes:
        layouts: the names of data sets with the layouts that they are read from.
        options: what data sets need to be told besides, by name.
    """

    layouts = tuple(WRITERS)
    options = OPTIONS

    def write(self, folder, name, layout, per_class=4):
        """Write ``per_class`` samples of each class into an empty folder; return the number of classes."""
        writer, classes = WRITERS[name, layout]
        writer(folder, name, np.repeat(np.arange(classes), per_class))
        return classes


@pytest.fixture(scope="session")
def copies():
    return Copies()


def pytest_generate_tests(metafunc):
    if "name_and_layout" in metafunc.fixturenames:
        ids = ["-".join(each) for each in WRITERS]
        metafunc.parametrize("name_and_layout", WRITERS, ids=ids)
