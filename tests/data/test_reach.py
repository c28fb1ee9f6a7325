"""Reach is what it says it is: cells of one part with the marked one, which takes more than a look around."""

import numpy as np
import pytest
from scipy import ndimage
from sklearn.linear_model import RidgeClassifier

from wavezoo.data import DataSource, find_dataset
from wavezoo.errors import WavezooError

KINDS = ("maze", "percolation")


def read(kind, size=17, counts=(200, 2, 60), **source):
    options = {"kind": kind, "size": size, "counts": counts}
    return find_dataset("reach").read(DataSource(options=options, **source))


@pytest.fixture(scope="module")
def drawn():
    return {kind: read(kind) for kind in KINDS}


def free_and_marked(image):
    return image[..., 0] == 0, tuple(np.argwhere(image[..., 1])[0])


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_reached_is_the_part_of_the_marked_cell(kind, drawn):
    of_largest = 0
    train = drawn[kind].train
    for image, lengths in zip(train.inputs, train.targets, strict=True):
        free, marked = free_and_marked(image)
        numbers, count = ndimage.label(free)
        sizes = np.sort(np.bincount(numbers.ravel(), minlength=count + 1)[1:])
        reached = numbers == numbers[marked]
        assert np.array_equal(np.isfinite(lengths), reached)
        assert np.array_equal(np.isnan(lengths), ~free)
        assert reached.sum() in sizes[-2:]
        of_largest += reached.sum() == sizes[-1]
        if kind == "maze":
            assert 0.2 < sizes[-1] / free.sum() < 0.56
    assert 0.35 < of_largest / len(train) < 0.65


@pytest.mark.parametrize("kind", KINDS)
def test_lengths_are_those_of_shortest_paths(kind, drawn):
    for image, lengths in zip(drawn[kind].test.inputs, drawn[kind].test.targets, strict=True):
        free, marked = free_and_marked(image)
        within = np.zeros_like(free)
        within[marked] = True
        for length in range(int(lengths[np.isfinite(lengths)].max()) + 1):
            assert np.array_equal(within, lengths <= length)
            within = ndimage.binary_dilation(within) & free


def test_a_maze_has_walls_all_around_and_corridors_one_cell_wide(drawn):
    for image in drawn["maze"].train.inputs:
        free, _ = free_and_marked(image)
        assert not free[[0, -1]].any()
        assert not free[:, [0, -1]].any()
        assert free[1::2, 1::2].all()
        assert not free[::2, ::2].any()


@pytest.mark.parametrize("kind", KINDS)
def test_seed_and_split_alone_decide(kind, drawn):
    again, other = read(kind), read(kind, seed=1)
    for split in ("train", "validation", "test"):
        one = getattr(drawn[kind], split)
        assert np.array_equal(one.inputs, getattr(again, split).inputs)
        assert np.array_equal(one.targets, getattr(again, split).targets, equal_nan=True)
        assert not np.array_equal(one.inputs, getattr(other, split).inputs)
    assert not np.array_equal(drawn[kind].train.inputs[:2], drawn[kind].validation.inputs)
    few = read(kind, limit_samples=4)
    assert np.array_equal(few.train.inputs, drawn[kind].train.inputs[::50])


@pytest.mark.parametrize("kind", KINDS)
def test_neither_a_constant_nor_a_linear_model_solves_it(kind, drawn):
    def seen(split):
        padded = np.pad(split.inputs[..., :2] / 255, ((0, 0), (4, 4), (4, 4), (0, 0)))
        windows = np.lib.stride_tricks.sliding_window_view(padded, (9, 9), (1, 2))
        free = ~np.isnan(split.targets)
        return windows[free].reshape(free.sum(), -1), np.isfinite(split.targets[free])

    model = RidgeClassifier().fit(*seen(drawn[kind].train))
    windows, reached = seen(drawn[kind].test)
    assert max(reached.mean(), 1 - reached.mean()) < 0.75
    assert (model.predict(windows) == reached).mean() < 0.8


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ({"options": {"size": 18}}, r"data\.size is 18; .* Give 17 or 19"),
        ({"options": {"size": 3}}, r"data\.size is 3"),
        ({"options": {"kind": "mase"}}, r"data\.kind is 'mase'"),
        ({"options": {"counts": [0, 1, 1]}}, r"data\.counts is"),
        ({"path": "somewhere"}, r"data\.path is 'somewhere'"),
    ],
)
def test_what_cannot_be_drawn(source, message):
    with pytest.raises(WavezooError, match=message):
        find_dataset("reach").read(DataSource(**source))
