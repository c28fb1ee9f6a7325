"""The part held back for validation: of every class, of the size asked for, the same for the same seed."""

from dataclasses import replace

import numpy as np
import pytest

from wavezoo.data import (
    DatasetEntry,
    DataSource,
    ImageFacts,
    SequenceFacts,
    Split,
    Splits,
    TokenRuns,
    find_dataset,
)
from wavezoo.errors import WavezooError
from wavezoo.plugins.registry import registry

CLASSES = ("a", "b", "c", "d")
SIZE = 3


def samples(kind, labels):
    """Return a split whose inputs tell which sample they are, and its facts."""
    count = len(labels)
    numbers = np.arange(count, dtype=np.uint8)
    images = np.broadcast_to(numbers[:, None, None, None], (count, SIZE, SIZE, 1)).copy()
    grey = {"classes": CLASSES, "channels": 1, "size": SIZE, "mean": (0.5,), "std": (0.5,)}
    if kind == "tokens":
        runs = TokenRuns.joined([np.full(1 + index % 5, index) for index in range(count)])
        return Split(runs, labels), SequenceFacts(CLASSES, None, 256, 5)
    if kind == "class_map":
        maps = np.broadcast_to(labels[:, None, None], (count, SIZE, SIZE)).copy()
        return Split(images, maps), ImageFacts(**grey, target="class_map")
    if kind == "field":
        fields = images[..., 0][:, None].astype(np.float32)
        return Split(images, fields), ImageFacts(**grey | {"classes": ()}, target="field", target_channels=1)
    return Split(images, labels), ImageFacts(**grey)


def numbers(split):
    inputs = split.inputs
    return [int(inputs[index].flat[0]) for index in range(len(inputs))]


def entry_of(split, facts):
    return DatasetEntry("made", "", facts, lambda source: Splits(split, split))


KINDS = ["images", "tokens", "class_map", "field"]
COUNTS = [(10, 10, 10, 10), (2, 2, 2, 2), (97, 2, 2, 3), (5, 1, 4, 40)]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("counts", COUNTS)
@pytest.mark.parametrize("share", [0.01, 0.1, 0.25, 0.5, 0.8])
def test_sizes_are_exact_and_no_sample_is_lost_or_in_both(kind, counts, share):
    labels = np.repeat(np.arange(4), counts)
    split, facts = samples(kind, labels)
    parts = entry_of(split, facts).read(DataSource(validation=share, seed=3))
    assert len(parts.validation) == max(1, round(share * len(labels)))
    assert sorted(numbers(parts.train) + numbers(parts.validation)) == list(range(len(labels)))
    for part in (parts.train, parts.validation):
        expected = split.targets[numbers(part)]
        assert np.array_equal(part.targets, expected)


@pytest.mark.parametrize("kind", ["images", "tokens"])
@pytest.mark.parametrize("counts", COUNTS)
@pytest.mark.parametrize("share", [0.1, 0.25, 0.5])
def test_every_class_is_in_both_parts_in_proportion(kind, counts, share):
    labels = np.repeat(np.arange(4), counts)
    parts = entry_of(*samples(kind, labels)).read(DataSource(validation=share))
    held = np.bincount(parts.validation.targets, minlength=4)
    for label, count in enumerate(counts):
        if count > 1 and round(share * len(labels)) >= 4 and (1 - share) * len(labels) >= 4:
            assert 1 <= held[label] <= count - 1
        if count == 1:
            assert held[label] == 0
    if min(counts) * share >= 1:
        assert np.abs(held - share * np.array(counts)).max() < 1


@pytest.mark.parametrize("kind", KINDS)
def test_the_seed_alone_decides(kind):
    entry = entry_of(*samples(kind, np.repeat(np.arange(4), 10)))

    def held(seed):
        return numbers(entry.read(DataSource(validation=0.25, seed=seed)).validation)

    assert held(0) == held(0)
    assert len({tuple(held(seed)) for seed in range(5)}) == 5


def test_classes_are_in_both_parts_where_a_recipe_names_a_data_set_sorted_by_class(tmp_path):
    for split in ("train", "test"):
        for name in CLASSES:
            (tmp_path / split / name).mkdir(parents=True)
            for index in range(8):
                (tmp_path / split / name / f"{index}.txt").write_text(f"{name} {index}")
    data = find_dataset("text").read(DataSource(str(tmp_path), validation=0.25))
    assert np.bincount(data.train.targets).tolist() == [6, 6, 6, 6]
    assert np.bincount(data.validation.targets).tolist() == [2, 2, 2, 2]


def test_what_cannot_be_held_back():
    split, facts = samples("images", np.zeros(3, np.int64))
    with pytest.raises(WavezooError, match=r"0\.9, which leaves no training samples of 3"):
        entry_of(split, facts).read(DataSource(validation=0.9))
    entry = DatasetEntry("made", "", facts, lambda source: Splits(split, split, split))
    with pytest.raises(WavezooError, match="a validation split of its own"):
        entry.read(DataSource(validation=0.5))


def test_every_data_set_is_held_back_from_in_every_class(name_and_layout, copies, tmp_path):
    name, layout = name_and_layout
    classes = copies.write(tmp_path, name, layout, per_class=8)
    entry = find_dataset(name)
    source = DataSource(str(tmp_path), partial=True, options=copies.options.get(name, {}))
    whole = entry.read(source)
    asked = replace(source, validation=0.25)
    if whole.validation is not None:
        with pytest.raises(WavezooError, match="a validation split of its own"):
            entry.read(asked)
        return
    data = entry.read(asked)
    if whole.train.targets.ndim > 1:
        # Samples have no class each that could be in both parts.
        assert len(data.validation) == round(len(whole.train) / 4) == len(whole.train) - len(data.train)
        return
    assert (np.diff(whole.train.targets) >= 0).all()
    assert np.bincount(data.train.targets, minlength=classes).tolist() == [6] * classes
    assert np.bincount(data.validation.targets, minlength=classes).tolist() == [2] * classes


def test_every_data_set_that_is_read_from_a_folder_has_a_copy_here(copies):
    made = ("digits", "mnist1d", "reach")
    from_folders = {
        name for name, entry in registry.datasets().items() if entry.task != "language" and name not in made
    }
    assert from_folders == {name for name, _ in copies.layouts}


@pytest.mark.parametrize("name", ["digits", "mnist1d"])
def test_data_that_come_with_a_package_are_held_back_from_in_every_class(name):
    data = find_dataset(name).read(DataSource(validation=0.1))
    for part in (data.train, data.validation):
        assert set(part.targets) == set(range(10))
