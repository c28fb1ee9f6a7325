"""Bad data: one message that names what is wrong, or a right reading; never a traceback, never silence."""

import gc
import itertools
import os
import shutil
import tempfile
import warnings
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from datasets import Dataset, DatasetDict
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from wavezoo.data import DataSource, Splits, find_dataset
from wavezoo.errors import DataWarning, WavezooError

# What readers of tables and of images take so long for that a few inputs have to do.
SLOW_LAYOUTS = ("hub", "csv")


def read(name, path, **source):
    return find_dataset(name).read(DataSource(str(path), **{"partial": True, **source}))


damages = st.one_of(
    st.tuples(st.just("cut"), st.floats(0, 1)),
    st.tuples(st.just("overwrite"), st.floats(0, 1), st.binary(min_size=1, max_size=12)),
    st.tuples(st.just("insert"), st.floats(0, 1), st.binary(min_size=1, max_size=12)),
    st.tuples(st.just("replace"), st.binary(max_size=40)),
    st.tuples(st.just("append"), st.binary(min_size=1, max_size=40)),
    st.tuples(st.just("remove")),
    st.tuples(st.just("folder")),
    st.tuples(st.just("another"), st.integers(0, 2**16)),
)


def damage(files, which, what, *how):
    file = files[which % len(files)]
    content = file.read_bytes()
    place = int(how[0] * len(content)) if how and isinstance(how[0], float) else 0
    if what == "cut":
        file.write_bytes(content[:place])
    elif what == "overwrite":
        file.write_bytes(content[:place] + how[1] + content[place + len(how[1]) :])
    elif what == "insert":
        file.write_bytes(content[:place] + how[1] + content[place:])
    elif what == "replace":
        file.write_bytes(how[0])
    elif what == "append":
        file.write_bytes(content + how[0])
    elif what == "another":
        file.write_bytes(files[how[0] % len(files)].read_bytes())
    else:
        file.unlink()
        if what == "folder":
            file.mkdir()


def check(copies, name, layout, examples, monkeypatch, tmp_path):
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", tmp_path / "cache")
    good = tmp_path / "good"
    good.mkdir()
    copies.write(good, name, layout, per_class=6)
    names = sorted(str(each.relative_to(good)) for each in good.rglob("*") if each.is_file())

    @settings(max_examples=examples, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(st.lists(st.tuples(st.integers(0, 2**16), damages), min_size=1, max_size=3))
    def never_anything_but_one_message(changes):
        with tempfile.TemporaryDirectory(dir=tmp_path) as folder:
            copy = Path(folder) / "copy"
            shutil.copytree(good, copy)
            for which, (what, *how) in changes:
                files = [copy / each for each in names if (copy / each).is_file()]
                if files:
                    damage(files, which, what, *how)
            found = read_or_message(name, copy, copies.options.get(name, {}))
            assert isinstance(found, Splits) or "\n" not in found

    never_anything_but_one_message()
    # Files that pandas left open are complained of now, not in the next test.
    gc.collect()


def read_or_message(name, path, options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DataWarning)
        try:
            return read(name, path, options=options)
        except WavezooError as error:
            return str(error)


# Pandas leaves a file open where it meets one that is no table.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_damaged_files_never_end_in_anything_but_one_message(name_and_layout, copies, monkeypatch, tmp_path):
    name, layout = name_and_layout
    check(copies, name, layout, 4 if layout in SLOW_LAYOUTS else 25, monkeypatch, tmp_path)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_thousands_of_damaged_files(name_and_layout, copies, monkeypatch, tmp_path):
    name, layout = name_and_layout
    check(copies, name, layout, 60 if layout in SLOW_LAYOUTS else 300, monkeypatch, tmp_path)


def save(picture, file):
    file.parent.mkdir(parents=True, exist_ok=True)
    picture.save(file)


def image_folder(folder, **files):
    """Write a folder of two classes with a good image each; return where further ones go."""
    for split, name in itertools.product(("train", "test"), ("a", "b")):
        save(Image.new("RGB", (8, 8), (100, 0, 0)), folder / split / name / "0.png")
    return folder / "train" / "a"


RAMP = (np.arange(64, dtype=np.uint16) * 1024).reshape(8, 8)


@pytest.mark.parametrize("suffix", ["png", "tiff", "pgm"])
def test_sixteen_bits_of_grey_are_scaled_to_eight(suffix, tmp_path):
    folder = image_folder(tmp_path)
    save(Image.fromarray(RAMP), folder / f"1.{suffix}")
    found = read("image_folder", tmp_path, options={"size": 8}).train.inputs[1]
    assert np.array_equal(found, np.round(RAMP / 257).astype(np.uint8)[..., None].repeat(3, -1))


def test_sixteen_bits_in_a_table_are_scaled_too(tmp_path):
    rows = {
        "image": [Image.fromarray(np.full((28, 28), 1024 * level, np.uint16)) for level in (1, 63)],
        "label": [0, 1],
    }
    DatasetDict({split: Dataset.from_dict(rows) for split in ("train", "test")}).save_to_disk(str(tmp_path))
    assert read("mnist", tmp_path).train.inputs[:, 0, 0, 0].tolist() == [4, 251]


@pytest.mark.parametrize("kind", [np.float32, np.int32])
def test_images_of_no_known_range_are_refused(kind, tmp_path):
    save(Image.fromarray((RAMP / 65536).astype(kind)), image_folder(tmp_path) / "1.tiff")
    with pytest.raises(WavezooError, match=r"1\.tiff is damaged or no image \(its values are of Pillow's mode"):
        read("image_folder", tmp_path, options={"size": 8})


@pytest.mark.parametrize("split", ["train", "test"])
def test_hidden_files_and_folders_are_no_data(split, tmp_path):
    image_folder(tmp_path)
    (tmp_path / split / ".ipynb_checkpoints").mkdir()
    save(Image.new("RGB", (8, 8)), tmp_path / split / "b" / ".ipynb_checkpoints" / "0-checkpoint.png")
    (tmp_path / split / "a" / "._0.png").write_bytes(b"\0\5\26\7Mac OS X")
    entry = find_dataset("image_folder")
    source = DataSource(str(tmp_path), options={"size": 8})
    assert entry.facts_at(source).classes == ("a", "b")
    assert getattr(entry.read(source), split).targets.tolist() == [0, 1]


@pytest.mark.parametrize(
    ("name", "write"),
    [("image_folder", "0.png"), ("text", "0.txt")],
)
def test_a_class_that_may_not_be_looked_into_is_an_error(name, write, tmp_path, monkeypatch):
    for split, label in itertools.product(("train", "test"), ("a", "b")):
        (tmp_path / split / label).mkdir(parents=True)
        if name == "text":
            (tmp_path / split / label / write).write_text("words")
        else:
            save(Image.new("RGB", (8, 8)), tmp_path / split / label / write)
    closed = str(tmp_path / "train" / "a")
    scandir = os.scandir

    def closed_scandir(path="."):
        # A user who is not root is refused by the system itself.
        if str(path) == closed:
            raise PermissionError(13, "Permission denied", closed)
        return scandir(path)

    monkeypatch.setattr(os, "scandir", closed_scandir)
    with pytest.raises(WavezooError, match=r"train/a cannot be read: Permission denied"):
        read(name, tmp_path, options={"size": 8} if name == "image_folder" else {})


@pytest.mark.parametrize("dot", [True, False])
@pytest.mark.parametrize("in_folders", [True, False])
def test_idx_files_as_unpackers_leave_them(dot, in_folders, copies, tmp_path):
    copies.write(tmp_path, "mnist", "idx")
    expected = read("mnist", tmp_path)
    for file in list(tmp_path.iterdir()):
        name = file.name.replace("-idx", ".idx") if dot else file.name
        content = file.read_bytes()
        file.unlink()
        if in_folders:
            (tmp_path / name).mkdir()
        (tmp_path / name / name if in_folders else tmp_path / name).write_bytes(content)
    found = read("mnist", tmp_path)
    assert np.array_equal(found.test.inputs, expected.test.inputs)


def test_idx_labels_with_two_axes(copies, tmp_path):
    copies.write(tmp_path, "mnist", "idx")
    content = (tmp_path / "train-images-idx3-ubyte").read_bytes()
    (tmp_path / "train-labels-idx1-ubyte").write_bytes(content)
    with pytest.raises(WavezooError, match=r"train-labels.*it has 3 axes, not 1"):
        read("mnist", tmp_path)


def write_csv(folder, *rows):
    for split in ("train", "test"):
        (folder / f"{split}.csv").write_text("text,label\n" + "".join(f"{row}\n" for row in rows))


@pytest.mark.parametrize("word", ["NA", "null", "None", "nan", "007", "1.50", "12", "1e5", "true"])
def test_words_and_numbers_are_texts_like_others(word, tmp_path):
    write_csv(tmp_path, f"{word},1", f"{word},0")
    data = read("text", tmp_path)
    assert bytes(data.train.inputs[0]) == word.encode()
    assert data.train.targets.tolist() == [1, 0]


def test_the_folder_of_texts_is_not_listed_again_for_each_label(tmp_path, monkeypatch):
    write_csv(tmp_path, *(f"text {index},{index % 2}" for index in range(50)))
    listed = []
    walk = os.walk
    monkeypatch.setattr(os, "walk", lambda *given, **named: listed.append(given) or walk(*given, **named))
    iterated = []
    iterdir = Path.iterdir
    monkeypatch.setattr(Path, "iterdir", lambda path: iterated.append(path) or iterdir(path))
    read("text", tmp_path)
    assert len([each for each in iterated if each == tmp_path]) < 10


TABLES = {
    "null": pa.array([0, None, 1]),
    "NaN": pa.array([0.0, float("nan"), 1.0]),
    "a fraction": pa.array([0.0, 0.5, 1.0]),
    "beyond 64 bits": pa.array([0, 2**64 - 1, 1], pa.uint64()),
    "a word": pa.array(["0", "cat", "1"]),
    "lists": pa.array([[0], [1], [2]]),
}


@pytest.mark.parametrize("labels", TABLES)
def test_labels_that_are_none(labels, tmp_path):
    for split in ("train", "test"):
        table = pa.table({"text": ["one", "two", "three"], "label": TABLES[labels]})
        pq.write_table(table, tmp_path / f"{split}-00000-of-00001.parquet")
    with pytest.raises(WavezooError, match=r"a label is .*, in row [01]; labels are whole numbers, or one of"):
        read("text", tmp_path)


def test_texts_and_images_that_are_missing(tmp_path):
    for split in ("train", "test"):
        table = pa.table({"text": ["one", None], "label": [0, 1]})
        pq.write_table(table, tmp_path / f"{split}-00000-of-00001.parquet")
    with pytest.raises(WavezooError, match=r"text 1 of .* is None, no text"):
        read("text", tmp_path)
    rows = {"image": [Image.new("L", (28, 28)), None], "label": [0, 1]}
    DatasetDict({split: Dataset.from_dict(rows) for split in ("train", "test")}).save_to_disk(str(tmp_path / "images"))
    with pytest.raises(WavezooError, match="row 1 has no image"):
        read("mnist", tmp_path / "images")
