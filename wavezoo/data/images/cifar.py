"""CIFAR-10 and CIFAR-100, from the hub or from the files of the original release."""

import lzma
import tarfile
import zlib
from functools import partial
from pathlib import Path

import numpy as np

from wavezoo.data.entry import DatasetEntry, DataSource
from wavezoo.data.facts import ImageFacts
from wavezoo.data.folders import files_below
from wavezoo.data.hub import load_hub_images, require_folder
from wavezoo.data.splits import Split, Splits
from wavezoo.errors import WavezooError

CLASSES_10 = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
# In the order of their labels, which is that of the alphabet.
CLASSES_100 = tuple(
    """apple aquarium_fish baby bear beaver bed bee beetle bicycle bottle bowl boy bridge bus butterfly camel can
    castle caterpillar cattle chair chimpanzee clock cloud cockroach couch crab crocodile cup dinosaur dolphin
    elephant flatfish forest fox girl hamster house kangaroo keyboard lamp lawn_mower leopard lion lizard lobster
    man maple_tree motorcycle mountain mouse mushroom oak_tree orange orchid otter palm_tree pear pickup_truck
    pine_tree plain plate poppy porcupine possum rabbit raccoon ray road rocket rose sea seal shark shrew skunk
    skyscraper snail snake spider squirrel streetcar sunflower sweet_pepper table tank telephone television tiger
    tractor train trout tulip turtle wardrobe whale willow_tree wolf woman worm""".split()  # noqa: SIM905
)
PIXELS = 3 * 32 * 32

# Files of the binary release by split, and the bytes before each image, of which the last is the label.
BINARY = {
    "cifar10": ({"train": [f"data_batch_{n}.bin" for n in range(1, 6)], "test": ["test_batch.bin"]}, 1),
    "cifar100": ({"train": ["train.bin"], "test": ["test.bin"]}, 2),
}


def _load(name: str, repository: str, source: DataSource) -> Splits:
    if source.path is not None:
        folder = require_folder(source.path)
        if _binary_files(folder, name):
            return Splits(*(_read_binary(folder, name, split, source) for split in ("train", "test")))
        if list(folder.rglob("cifar-1*-python*")) or list(folder.rglob("data_batch_1")):
            raise WavezooError(
                f"data.path {source.path} holds the pickled release of CIFAR, and wavezoo opens no pickles. Take the "
                f"binary release (cifar-{name[5:]}-binary.tar.gz) or the hub's {repository}."
            )
    return load_hub_images(DATASETS[name], repository, source, "RGB")


def _binary_files(folder: Path, name: str) -> dict[str, Path]:
    wanted = {file for files in BINARY[name][0].values() for file in files}
    found = {file.name: file for file in files_below(folder) if file.name in wanted}
    archives = sorted(file for file in folder.glob(f"cifar-{name[5:]}-binary.tar*") if file.is_file())
    return found or ({"archive": archives[0]} if archives else {})


def _read_binary(folder: Path, name: str, split: str, source: DataSource) -> Split:
    files, header = BINARY[name]
    found = _binary_files(folder, name)
    records = []
    for file in files[split]:
        content = _content(found, file, source)
        if len(content) % (header + PIXELS):
            raise WavezooError(f"{file} in {source.path} is cut short: {len(content):,} bytes. Copy it again.")
        records.append(np.frombuffer(content, np.uint8).reshape(-1, header + PIXELS))
    rows = np.concatenate(records)
    DATASETS[name].check_count(source, split, len(rows))
    rows = rows[source.chosen(len(rows))]
    images = rows[:, header:].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
    return Split(np.ascontiguousarray(images), rows[:, header - 1].astype(np.int64))


def _content(found: dict[str, Path], file: str, source: DataSource) -> bytes:
    try:
        if "archive" not in found:
            return found[file].read_bytes()
        with tarfile.open(found["archive"]) as archive:
            member = next(each for each in archive if Path(each.name).name == file)
            handle = archive.extractfile(member)
            return handle.read() if handle else b""
    except (KeyError, StopIteration):
        raise WavezooError(f"data.path {source.path} has no {file}. Copy it again.") from None
    except (OSError, EOFError, ValueError, zlib.error, lzma.LZMAError, tarfile.TarError) as error:
        raise WavezooError(f"{file} in {source.path} is damaged or cut short ({error}). Copy it again.") from error


DATASETS = {
    "cifar10": DatasetEntry(
        name="cifar10",
        description="""CIFAR-10: photographs of ten kinds of things, 32 x 32, colour.

Source: Krizhevsky 2009, from the 80 million tiny images, licence unstated; on the hub, uoft-cs/cifar10.
Without a network: data.path is a folder in the hub's layout, with plain_text/train-*.parquet and
plain_text/test-*.parquet, columns img and label; or with the binary release (cifar-10-binary.tar.gz, or its *.bin).
Splits: 50,000 for training, 10,000 for test.""",
        facts=ImageFacts(CLASSES_10, 3, 32, (0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616)),
        load=partial(_load, "cifar10", "uoft-cs/cifar10"),
        counts={"train": 50_000, "test": 10_000},
        columns={"image": "img", "label": "label"},
    ),
    "cifar100": DatasetEntry(
        name="cifar100",
        description="""CIFAR-100: photographs of a hundred kinds of things, 32 x 32, colour.

Source: Krizhevsky 2009, from the 80 million tiny images, licence unstated; on the hub, uoft-cs/cifar100.
Without a network: data.path is a folder in the hub's layout, with cifar100/train-*.parquet and
cifar100/test-*.parquet, columns img and fine_label (data.columns: {label: coarse_label} would need 20 classes and is
refused); or with the binary release (cifar-100-binary.tar.gz, or train.bin and test.bin).
Splits: 50,000 for training, 10,000 for test.""",
        facts=ImageFacts(CLASSES_100, 3, 32, (0.5071, 0.4865, 0.4409), (0.2673, 0.2564, 0.2762)),
        load=partial(_load, "cifar100", "uoft-cs/cifar100"),
        counts={"train": 50_000, "test": 10_000},
        columns={"image": "img", "label": "fine_label"},
    ),
}
