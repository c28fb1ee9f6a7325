import gzip
import io
import struct

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from wavezoo.data import DATASETS, find_dataset
from wavezoo.errors import WavezooError
from wavezoo.recipe import find_recipe, load_recipe
from wavezoo.train import evaluate, train


def pixels(count, *shape, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (count, *shape), dtype=np.uint8)


def write_hub_copy(folder, dataset, image_column, count=12):
    """Write random images in the hub's parquet layout; return them and their labels by split."""
    written = {}
    (folder / "plain_text").mkdir(parents=True)
    for seed, split in enumerate(("train", "test")):
        shape = (dataset.size, dataset.size) + ((3,) if dataset.channels == 3 else ())
        images, labels = pixels(count, *shape, seed=seed), np.arange(count) % 10
        cells = []
        for image in images:
            buffer = io.BytesIO()
            Image.fromarray(image).save(buffer, "png")
            cells.append({"bytes": buffer.getvalue(), "path": None})
        table = pa.table({image_column: cells, "label": labels})
        features = '{"info": {"features": {"%s": {"_type": "Image"}, "label": {"dtype": "int64", "_type": "Value"}}}}'
        table = table.replace_schema_metadata({"huggingface": features % image_column})
        pq.write_table(table, folder / "plain_text" / f"{split}-00000-of-00001.parquet")
        written[split] = images.reshape(count, dataset.size, dataset.size, -1), labels
    return written


def write_idx(folder, count=7, compress=True):
    written = {}
    for seed, prefix in enumerate(("train", "t10k")):
        images, labels = pixels(count, 28, 28, seed=seed), (np.arange(count) % 10).astype(np.uint8)
        contents = {
            f"{prefix}-images-idx3-ubyte": struct.pack(">HBB3I", 0, 8, 3, count, 28, 28) + images.tobytes(),
            f"{prefix}-labels-idx1-ubyte": struct.pack(">HBB1I", 0, 8, 1, count) + labels.tobytes(),
        }
        for name, content in contents.items():
            if compress:
                (folder / f"{name}.gz").write_bytes(gzip.compress(content))
            else:
                (folder / name).write_bytes(content)
        written[prefix] = images[..., None], labels
    return written


def test_a_run_on_a_local_copy_is_evaluated_from_anywhere(tmp_path, monkeypatch):
    (tmp_path / "copy").mkdir()
    write_idx(tmp_path / "copy", count=16)
    monkeypatch.chdir(tmp_path)
    overrides = ["data.path=copy", "data.workers=0", "epochs=1", "batch_size=8", "model.options.dims=[8, 8, 8, 8]"]
    summary = train(load_recipe(find_recipe("fashion_mnist"), overrides), tmp_path / "run", "cpu")
    monkeypatch.chdir("/")
    assert evaluate(tmp_path / "run", device="cpu") == summary["accuracy"]


def test_digits_are_split_as_published():
    data = find_dataset("digits").load(None, None)
    assert data.train.images.shape == (1437, 8, 8, 1)
    assert data.test.images.shape == (360, 8, 8, 1)
    assert data.train.images.max() == 255
    assert len(find_dataset("digits").load(None, 10).train.labels) == 10


def test_digits_match_their_stated_mean_and_std():
    dataset = find_dataset("digits")
    images = dataset.load(None, None).train.images / 255
    assert images.mean() == pytest.approx(dataset.mean[0], abs=1e-3)
    assert images.std() == pytest.approx(dataset.std[0], abs=1e-3)


@pytest.mark.parametrize(("name", "column"), [("cifar10", "img"), ("fashion_mnist", "image")])
def test_a_local_copy_in_the_hubs_layout(name, column, tmp_path):
    dataset = find_dataset(name)
    written = write_hub_copy(tmp_path, dataset, column)
    data = dataset.load(str(tmp_path), None)
    for split in ("train", "test"):
        images, labels = written[split]
        assert np.array_equal(getattr(data, split).images, images)
        assert np.array_equal(getattr(data, split).labels, labels)
    assert len(dataset.load(str(tmp_path), 5).test.labels) == 5


@pytest.mark.parametrize("compress", [True, False])
def test_idx_files(compress, tmp_path):
    written = write_idx(tmp_path, compress=compress)
    data = find_dataset("fashion_mnist").load(str(tmp_path), None)
    assert np.array_equal(data.train.images, written["train"][0])
    assert np.array_equal(data.test.labels, written["t10k"][1])


@pytest.mark.parametrize("name", [name for name in DATASETS if name != "digits"])
def test_missing_and_empty_folders(name, tmp_path):
    for path, message in ((tmp_path / "none", "not a folder"), (tmp_path, "is empty")):
        with pytest.raises(WavezooError, match=message):
            find_dataset(name).load(str(path), None)


@pytest.mark.parametrize("name", [name for name in DATASETS if name != "digits"])
def test_without_a_network_the_message_points_at_a_local_copy(name):
    with pytest.raises(WavezooError, match=r"cannot be read.*--set data.path=FOLDER"):
        find_dataset(name).load(None, None)


def test_truncated_parquet(tmp_path):
    dataset = find_dataset("cifar10")
    write_hub_copy(tmp_path, dataset, "img")
    for file in (tmp_path / "plain_text").iterdir():
        file.write_bytes(file.read_bytes()[:-500])
    with pytest.raises(WavezooError, match="cut short"):
        dataset.load(str(tmp_path), None)


@pytest.mark.parametrize("compress", [True, False])
def test_truncated_idx_files(compress, tmp_path):
    write_idx(tmp_path, compress=compress)
    file = next(tmp_path.glob("t10k-images*"))
    file.write_bytes(file.read_bytes()[:-100])
    with pytest.raises(WavezooError, match=r"t10k-images.*damaged or cut short"):
        find_dataset("fashion_mnist").load(str(tmp_path), None)


def test_an_idx_file_is_missing(tmp_path):
    write_idx(tmp_path)
    next(tmp_path.glob("t10k-labels*")).unlink()
    with pytest.raises(WavezooError, match="has no t10k-labels"):
        find_dataset("fashion_mnist").load(str(tmp_path), None)


def test_other_data_in_the_folder(tmp_path):
    (tmp_path / "notes.txt").write_text("not images")
    with pytest.raises(WavezooError, match="no column 'img'"):
        find_dataset("cifar10").load(str(tmp_path), None)


def test_digits_have_no_path():
    with pytest.raises(WavezooError, match=r"Leave data\.path out"):
        find_dataset("digits").load("/anywhere", None)


def test_unknown_data_sets():
    with pytest.raises(WavezooError, match="nearest first: digits"):
        find_dataset("digitz")
