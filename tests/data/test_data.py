import csv
import gzip
import io
import struct
import tarfile

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from datasets import Dataset, DatasetDict
from PIL import Image

from wavezoo.config.recipe import find_recipe, load_recipe, with_overrides
from wavezoo.data import DataSource, ImageFacts, TokenRuns, find_dataset
from wavezoo.data.builtin import DATASETS
from wavezoo.data.entry import SPLITS
from wavezoo.errors import WavezooError
from wavezoo.train import evaluate, smoke, train

HUB_IMAGES = ["cifar10", "cifar100", "fashion_mnist", "mnist"]
LOCAL = [
    name for name, entry in DATASETS.items() if name not in ("digits", "mnist1d", "reach") and entry.task != "language"
]


def read(name, path, **source):
    return find_dataset(name).read(DataSource(str(path), **{"partial": True, **source}))


def pixels(count, *shape, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (count, *shape), dtype=np.uint8)


def encoded(image):
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "png")
    return buffer.getvalue()


def write_hub_copy(folder, name, count=12):
    """Write random images in the hub's parquet layout; return them and their labels by split."""
    entry, written = find_dataset(name), {}
    (folder / "plain_text").mkdir(parents=True)
    for seed, split in enumerate(("train", "test")):
        size, channels = entry.facts.size, entry.facts.channels
        images = pixels(count, *(size, size, 3)[: 2 + (channels == 3)], seed=seed)
        labels = np.arange(count) % len(entry.facts.classes)
        image_column, label_column = entry.columns["image"], entry.columns["label"]
        cells = [{"bytes": encoded(image), "path": None} for image in images]
        table = pa.table({image_column: cells, label_column: labels})
        features = '{"info": {"features": {"%s": {"_type": "Image"}, "%s": {"dtype": "int64", "_type": "Value"}}}}'
        table = table.replace_schema_metadata({"huggingface": features % (image_column, label_column)})
        pq.write_table(table, folder / "plain_text" / f"{split}-00000-of-00001.parquet")
        written[split] = images.reshape(count, size, size, -1), labels
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
    overrides = ["data.path=copy", "data.partial=true", "batch_size=8"]
    summary = train(
        with_overrides(smoke(load_recipe(find_recipe("fashion_mnist"))), overrides), tmp_path / "run", "cpu"
    )
    monkeypatch.chdir("/")
    assert evaluate(tmp_path / "run", device="cpu").numbers == summary.last


def test_digits_are_split_as_published():
    data = find_dataset("digits").read(DataSource())
    assert data.train.inputs.shape == (1437, 8, 8, 1)
    assert data.test.inputs.shape == (360, 8, 8, 1)
    assert data.train.inputs.max() == 255


def test_digits_match_their_stated_mean_and_std():
    entry = find_dataset("digits")
    images = entry.read(DataSource()).train.inputs / 255
    assert images.mean() == pytest.approx(entry.facts.mean[0], abs=1e-3)
    assert images.std() == pytest.approx(entry.facts.std[0], abs=1e-3)


@pytest.mark.parametrize("name", HUB_IMAGES)
def test_a_local_copy_in_the_hubs_layout(name, tmp_path):
    written = write_hub_copy(tmp_path, name)
    data = read(name, tmp_path)
    for split in ("train", "test"):
        images, labels = written[split]
        assert np.array_equal(getattr(data, split).inputs, images)
        assert np.array_equal(getattr(data, split).targets, labels)
    some = read(name, tmp_path, limit_samples=4)
    assert np.array_equal(some.test.inputs, written["test"][0][::3])


def test_other_formats_and_columns(tmp_path):
    rows = {"picture": [Image.fromarray(image) for image in pixels(3, 28, 28)], "kind": [2, 0, 1]}
    DatasetDict({split: Dataset.from_dict(rows) for split in ("train", "test")}).save_to_disk(str(tmp_path))
    data = read("mnist", tmp_path, columns={"image": "picture", "label": "kind"})
    assert data.train.targets.tolist() == [2, 0, 1]
    assert np.array_equal(data.test.inputs[..., 0], pixels(3, 28, 28))
    with pytest.raises(WavezooError, match=r"maps 'picture'; mnist has columns for: image, label"):
        read("mnist", tmp_path, columns={"picture": "image"})


@pytest.mark.parametrize("name", [*HUB_IMAGES, "lra_image"])
def test_counts_catch_a_copy_cut_short(name, tmp_path):
    write_hub_copy(tmp_path, name.replace("lra_image", "cifar10"))
    with pytest.raises(WavezooError, match=r"has \d+,000 samples, this copy 12.*data\.partial=true"):
        read(name, tmp_path, partial=False)


@pytest.mark.parametrize("compress", [True, False])
def test_idx_files(compress, tmp_path):
    written = write_idx(tmp_path, compress=compress)
    for name in ("fashion_mnist", "mnist"):
        data = read(name, tmp_path)
        assert np.array_equal(data.train.inputs, written["train"][0])
        assert np.array_equal(data.test.targets, written["t10k"][1])


@pytest.mark.parametrize(("name", "header"), [("cifar10", 1), ("cifar100", 2)])
@pytest.mark.parametrize("archive", [True, False])
def test_the_binary_release_of_cifar(name, header, archive, tmp_path):
    files = {"cifar10": [f"data_batch_{n}.bin" for n in range(1, 6)] + ["test_batch.bin"]}
    files = files.get(name, ["train.bin", "test.bin"])
    images = pixels(2, 3, 32, 32)
    labels = np.array([[7, 3], [9, 5]], np.uint8)[:, -header:]
    content = b"".join(label.tobytes() + image.tobytes() for label, image in zip(labels, images, strict=True))
    (tmp_path / "batches").mkdir()
    for file in files:
        (tmp_path / "batches" / file).write_bytes(content)
    if archive:
        with tarfile.open(tmp_path / f"cifar-{name[5:]}-binary.tar.gz", "w:gz") as packed:
            packed.add(tmp_path / "batches", "cifar-batches")
        for file in files:
            (tmp_path / "batches" / file).unlink()
    data = read(name, tmp_path)
    assert np.array_equal(data.test.inputs, images.transpose(0, 2, 3, 1))
    assert data.test.targets.tolist() == labels[:, -1].tolist()
    assert len(data.train) == 2 * (len(files) - 1)
    if not archive:
        (tmp_path / "batches" / files[-1]).write_bytes(content[:-5])
        with pytest.raises(WavezooError, match=r"\.bin in .* is cut short"):
            read(name, tmp_path)


def test_no_pickle_is_opened(tmp_path):
    (tmp_path / "data_batch_1").write_bytes(b"x")
    with pytest.raises(WavezooError, match="opens no pickles"):
        read("cifar10", tmp_path)


def test_lra_image_is_cifar_in_grey_with_the_last_tenth_for_validation(tmp_path):
    written = write_hub_copy(tmp_path, "cifar10", count=20)
    data = read("lra_image", tmp_path, options={"tokens": True})
    grey = np.stack([np.asarray(Image.fromarray(image).convert("L")) for image in written["train"][0]])
    assert np.abs(data.train.inputs[..., 0].astype(int) - grey[:18]).max() <= 1
    assert np.abs(data.validation.inputs[..., 0].astype(int) - grey[18:]).max() <= 1
    assert np.array_equal(data.test.targets, written["test"][1])


def test_any_folder_of_images(tmp_path):
    for split in ("train", "val", "test"):
        for label, name in enumerate(("cat", "dog")):
            (tmp_path / split / name).mkdir(parents=True)
            for index in range(3):
                Image.new("RGB", (20 + index, 30), (label * 255, 0, 0)).save(tmp_path / split / name / f"{index}.png")
    entry = find_dataset("image_folder")
    source = DataSource(str(tmp_path), options={"size": 16}, limit_samples=4)
    assert entry.facts_at(source).classes == ("cat", "dog")
    data = entry.read(source)
    assert data.train.inputs.shape == (4, 16, 16, 3)
    assert data.train.targets.tolist() == [0, 0, 1, 1]
    assert (data.validation.inputs[:, 8, 8, 0] == 255 * data.validation.targets).all()
    (tmp_path / "test" / "dog" / "1.png").write_bytes(b"no image")
    with pytest.raises(WavezooError, match=r"1\.png is damaged or no image"):
        entry.read(DataSource(str(tmp_path), options={"size": 16}))
    with pytest.raises(WavezooError, match=r"needs data\.size"):
        entry.read(DataSource(str(tmp_path)))
    (tmp_path / "test" / "fox").mkdir()
    with pytest.raises(WavezooError, match="has the class 'fox'"):
        entry.read(source)


REVIEWS = [("good film", 1), ("bad", 0), ("naïve", 1)]


def write_texts(folder, layout, reviews=REVIEWS):
    for split in ("train", "test"):
        if layout == "csv":
            with (folder / f"{split}.csv").open("w", newline="") as file:
                csv.writer(file).writerows([("text", "label"), *reviews])
        else:
            for index, (text, label) in enumerate(reviews):
                (folder / split / ("neg", "pos")[label]).mkdir(parents=True, exist_ok=True)
                (folder / split / ("neg", "pos")[label] / f"{index}.txt").write_text(text, encoding="utf-8")


@pytest.mark.parametrize("layout", ["csv", "folders"])
def test_texts_by_the_byte(layout, tmp_path):
    write_texts(tmp_path, layout)
    data = read("text", tmp_path)
    found = {bytes(data.test.inputs[i].astype(np.uint8)): int(data.test.targets[i]) for i in range(3)}
    assert found == {text.encode(): label for text, label in REVIEWS}
    assert len(read("text", tmp_path, options={"max_length": 4}).train.inputs[0]) <= 4


def test_texts_with_other_columns_and_labels_in_words(tmp_path):
    for split in ("train", "test"):
        (tmp_path / f"{split}.csv").write_text("review,verdict\nfine,yes\nfoul,no\n")
    columns, options = {"text": "review", "label": "verdict"}, {"classes": ("no", "yes")}
    data = read("text", tmp_path, columns=columns, options=options)
    assert data.train.targets.tolist() == [1, 0]
    with pytest.raises(WavezooError, match=r"a label is 'yes'.*data\.classes"):
        read("text", tmp_path, columns=columns)


def test_mnist1d_is_the_packages_own_and_leaves_the_generators_alone():
    before = np.random.get_state()[1].copy()
    data = find_dataset("mnist1d").read(DataSource())
    assert np.array_equal(np.random.get_state()[1], before)
    assert data.train.inputs.shape == (4000, 40, 1)
    assert data.test.inputs.shape == (1000, 40, 1)
    both = np.concatenate([data.train.inputs, data.test.inputs])
    assert both.mean() == pytest.approx(0, abs=1e-6)
    assert both.std() == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize("name", LOCAL)
def test_missing_and_empty_folders(name, tmp_path):
    options = {"size": 8} if name == "image_folder" else {}
    for path, message in ((tmp_path / "none", "does not exist"), (tmp_path, "is empty")):
        with pytest.raises(WavezooError, match=message):
            read(name, path, options=options)


@pytest.mark.parametrize("name", LOCAL)
def test_without_a_network_the_message_says_where_to_get_it(name):
    options = {"size": 8} if name == "image_folder" else {}
    with pytest.raises(WavezooError, match=r"data\.path|wavezoo generate"):
        find_dataset(name).read(DataSource(options=options))


@pytest.mark.parametrize("name", DATASETS)
def test_entries_are_complete(name):
    entry = find_dataset(name)
    first, _, rest = entry.description.partition("\n")
    assert first.endswith((".", "?")) or "grey" in first
    assert "Source:" in rest
    assert "Splits:" in rest
    assert set(entry.counts) <= set(SPLITS)
    if isinstance(entry.facts, ImageFacts):
        assert len(entry.facts.mean) == len(entry.facts.std) == entry.facts.channels
    with pytest.raises(WavezooError, match=rf"data\.colour is no option of {name}"):
        entry.read(DataSource(options={"colour": 1}))


def test_truncated_parquet(tmp_path):
    write_hub_copy(tmp_path, "cifar10")
    for file in (tmp_path / "plain_text").iterdir():
        file.write_bytes(file.read_bytes()[:-500])
    with pytest.raises(WavezooError, match="cut short"):
        read("cifar10", tmp_path)


@pytest.mark.parametrize("compress", [True, False])
def test_truncated_idx_files(compress, tmp_path):
    write_idx(tmp_path, compress=compress)
    file = next(tmp_path.glob("t10k-images*"))
    file.write_bytes(file.read_bytes()[:-100])
    with pytest.raises(WavezooError, match=r"t10k-images.*damaged or cut short"):
        read("fashion_mnist", tmp_path)


def test_an_idx_file_is_missing(tmp_path):
    write_idx(tmp_path)
    next(tmp_path.glob("t10k-labels*")).unlink()
    with pytest.raises(WavezooError, match="has no t10k-labels"):
        read("fashion_mnist", tmp_path)


def test_other_data_in_the_folder(tmp_path):
    (tmp_path / "notes.txt").write_text("not images")
    with pytest.raises(WavezooError, match=r"no column 'img'|no split"):
        read("cifar10", tmp_path)


@pytest.mark.parametrize("name", ["digits", "mnist1d"])
def test_what_comes_with_a_package_has_no_path(name):
    with pytest.raises(WavezooError, match=r"Leave data\.path out"):
        read(name, "/anywhere")


def test_unknown_data_sets():
    with pytest.raises(WavezooError, match="nearest first: digits"):
        find_dataset("digitz")


def test_token_runs():
    runs = [np.array([1, 2, 3]), np.array([4]), np.array([5, 6])]
    joined = TokenRuns.joined(runs)
    assert len(joined) == 3
    assert all(np.array_equal(joined[index], run) for index, run in enumerate(runs))


@pytest.mark.parametrize("name", DATASETS)
def test_options_are_checked_by_name_and_type_with_the_line_of_the_recipe(name, tmp_path):
    file = tmp_path / "mine.yaml"
    wrong = dict.fromkeys(find_dataset(name).options, "[[no], [value]]") | {"colour": "red"}
    for option, value in wrong.items():
        file.write_text(f"base: quickstart\nname: mine\ndata:\n  name: {name}\n  {option}: {value}\n")
        with pytest.raises(WavezooError, match=rf"mine\.yaml:5: data\.{option} is ") as raised:
            load_recipe(file)
        assert "\n" not in str(raised.value)


@pytest.mark.parametrize("name", DATASETS)
def test_options_have_defaults_of_their_type(name):
    for option, declared in find_dataset(name).options.items():
        assert declared.checked(option, declared.default) == declared.default
        assert declared.help.endswith(".")
