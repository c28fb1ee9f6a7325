"""Generated data sets: the same for the same seed, continued where broken off, and like the originals."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from wavezoo.data import DataSource, find_dataset
from wavezoo.data.sequences import listops, pathfinder
from wavezoo.data.sequences.pathfinder_drawers import Drawers
from wavezoo.data.sequences.pathfinder_images import draw_image
from wavezoo.data.sequences.pathfinder_task import TASKS
from wavezoo.errors import DataWarning, WavezooError


def ignore(count):
    pass


def files(folder):
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


@pytest.fixture(scope="module")
def images():
    drawn = [draw_image(TASKS[32], 0, index) for index in range(200)]
    return np.stack([image for image, _ in drawn]) / 255, np.array([label for _, label in drawn])


def test_pathfinder_images_have_the_statistics_of_the_benchmarks(images):
    pixels, labels = images
    measured = [pixels.mean(), pixels.std(), (pixels > 0.1).mean(), (pixels > 0.5).mean()]
    spread = [np.std([f(x) for x in pixels]) / 200**0.5 for f in (np.mean, np.std, lambda x: (x > 0.1).mean())]
    # Four standard errors of 200 images, and the 2 % to which the published figures are known.
    for value, published, error in zip(measured, (0.080, 0.201, 0.154, 0.085), [*spread, spread[0]], strict=True):
        assert abs(value - published) < 4 * error + 0.02 * published
    assert abs(labels.mean() - 0.5) < 4 * 0.5 / 200**0.5
    assert pixels.min() == 0
    assert pixels.max() == 1


def test_no_linear_model_solves_pathfinder(images):
    pixels, labels = images
    flat = pixels.reshape(len(pixels), -1)
    model = LogisticRegression(C=0.01, max_iter=200).fit(flat[:120], labels[:120])
    # Chance is 50 %, its standard error on 80 images 5.6 points.
    assert model.score(flat[120:], labels[120:]) < 0.5 + 3 * 0.056


@pytest.mark.slow
def test_no_linear_model_beats_55_percent():
    drawn = [draw_image(TASKS[32], 1, index) for index in range(6000)]
    flat, labels = np.stack([image.ravel() for image, _ in drawn]) / 255, np.array([label for _, label in drawn])
    model = LogisticRegression(C=0.003, max_iter=300).fit(flat[:4000], labels[:4000])
    assert model.score(flat[4000:], labels[4000:]) < 0.55


def test_easier_curves_are_shorter(tmp_path):
    ink = []
    for contour_length in pathfinder.CONTOUR_LENGTHS:
        folder = tmp_path / str(contour_length)
        pathfinder.generate(folder, 32, 20, 0, 1, ignore, contour_length)
        with pytest.raises(WavezooError, match=f"made by .*'contour_length': {contour_length}"):
            pathfinder.generate(folder, 32, 20, 0, 1, ignore, 14 if contour_length != 14 else 9)
        ink.append(find_dataset("lra_pathfinder").read(DataSource(str(folder))).train.inputs.mean())
    assert ink == sorted(ink)
    assert ink[0] < 0.75 * ink[-1]


def test_path_x_images():
    image, label = draw_image(TASKS[128], 0, 0)
    assert image.shape == (128, 128)
    assert label in (0, 1)
    again, _ = draw_image(TASKS[128], 0, 0)
    assert np.array_equal(image, again)


def test_pathfinder_is_the_same_for_any_number_of_processes_and_continued(tmp_path, monkeypatch):
    monkeypatch.setattr(pathfinder, "SHARD", 4)
    pathfinder.generate(tmp_path / "one", 32, 10, 3, 1, ignore)
    monkeypatch.setattr(pathfinder, "JOB", 1)
    advances = []
    pathfinder.generate(tmp_path / "two", 32, 10, 3, 2, advances.append)
    assert sum(advances) == 10
    assert files(tmp_path / "one") == files(tmp_path / "two")
    before = files(tmp_path / "one")
    (tmp_path / "one" / "metadata" / "1.npy").unlink()
    with pytest.raises(WavezooError, match="6 of 10 images: some are lost"):
        find_dataset("lra_pathfinder").read(DataSource(str(tmp_path / "one")))
    advances.clear()
    pathfinder.generate(tmp_path / "one", 32, 10, 3, 1, advances.append)
    assert advances == [6, 1, 1, 1, 1]
    assert files(tmp_path / "one") == before
    with pytest.raises(WavezooError, match=r"made by .*'seed': 3.* not by .*'seed': 4"):
        pathfinder.generate(tmp_path / "one", 32, 10, 4, 1, ignore)


def test_a_generation_that_was_broken_off_is_continued_and_is_no_data_till_then(tmp_path, monkeypatch):
    monkeypatch.setattr(pathfinder, "SHARD", 4)
    monkeypatch.setattr(pathfinder, "JOB", 2)

    def break_off(count):
        done.append(count)
        if sum(done) >= 6:
            raise KeyboardInterrupt

    done = []
    with pytest.raises(KeyboardInterrupt):
        pathfinder.generate(tmp_path / "out", 32, 10, 3, 2, break_off)
    assert not (tmp_path / "out").exists()
    advances = []
    pathfinder.generate(tmp_path / "out", 32, 10, 3, 1, advances.append)
    assert advances == [4, 2, 2, 2]
    assert [each.name for each in tmp_path.iterdir()] == ["out"]
    # What was broken off stands in nobody's way.
    done = []
    with pytest.raises(KeyboardInterrupt):
        pathfinder.generate(tmp_path / "other", 32, 10, 3, 2, break_off)
    pathfinder.generate(tmp_path / "other", 32, 6, 4, 1, ignore)


def test_a_killed_process_is_one_message(tmp_path):
    with Drawers(2) as drawers:
        parts = drawers.draw(TASKS[32], 0, [range(start, start + 5) for start in range(0, 5000, 5)])
        next(parts)
        os.kill(drawers.process_ids[1], signal.SIGKILL)
        with pytest.raises(WavezooError, match=r"a process that draws was killed.*it continues"):
            list(parts)
    assert not any(alive(each) for each in drawers.process_ids)


def alive(process_id):
    try:
        return Path(f"/proc/{process_id}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def children(process_id):
    listed = Path(f"/proc/{process_id}/task/{process_id}/children")
    return [int(each) for each in listed.read_text().split()] if listed.exists() else []


GENERATE = """
import signal, sys
from pathlib import Path
from wavezoo.data.sequences import pathfinder
# Tests that run in the background are started with Ctrl-C ignored.
signal.signal(signal.SIGINT, signal.default_int_handler)
pathfinder.generate(Path(sys.argv[1]), 32, 100_000, 0, 2, lambda count: print(count, flush=True))
"""


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="looks at processes as Linux lists them")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL, signal.SIGINT])
def test_no_process_outlives_a_generation_and_none_imports_torch(number, tmp_path):
    command = [sys.executable, "-c", GENERATE, str(tmp_path / "out")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as generation:
        assert generation.stdout.readline() == b"0\n"
        assert generation.stdout.readline() == b"50\n"
        drawing = children(generation.pid)
        assert len(drawing) == 2
        assert not any("torch" in Path(f"/proc/{each}/maps").read_text() for each in drawing)
        generation.send_signal(number)
        assert generation.wait(timeout=20) != 0
        deadline = time.monotonic() + 10
        while any(alive(each) for each in drawing) and time.monotonic() < deadline:
            time.sleep(0.05)
        assert not any(alive(each) for each in drawing)
        assert b"BrokenPipeError" not in generation.stderr.read()
    assert not (tmp_path / "out").exists()


def test_pathfinder_is_read_as_released(tmp_path):
    pathfinder.generate(tmp_path, 32, 20, 0, 1, ignore)
    (tmp_path / "made_by.json").unlink()
    data = find_dataset("lra_pathfinder").read(DataSource(str(tmp_path)))
    expected = [draw_image(TASKS[32], 0, index) for index in range(20)]
    split = np.concatenate([data.train.inputs, data.validation.inputs, data.test.inputs])[..., 0]
    labels = np.concatenate([data.train.targets, data.validation.targets, data.test.targets])
    assert np.array_equal(split, np.stack([image for image, _ in expected]))
    assert labels.tolist() == [label for _, label in expected]
    assert [len(data.train), len(data.validation), len(data.test)] == [16, 2, 2]
    (tmp_path / "imgs" / "0" / "sample_3.png").write_bytes(b"")
    with pytest.warns(DataWarning, match=r"1 of 16 images are left out.*sample_3\.png"):
        fifteen = find_dataset("lra_pathfinder").read(DataSource(str(tmp_path)))
    assert np.array_equal(fifteen.train.inputs, np.delete(data.train.inputs, 3, 0))
    assert np.array_equal(fifteen.train.targets, np.delete(data.train.targets, 3))
    (tmp_path / "imgs" / "0" / "sample_3.png").write_bytes(b"x")
    with pytest.raises(WavezooError, match=r"sample_3\.png is missing, damaged"):
        find_dataset("lra_pathfinder").read(DataSource(str(tmp_path)))
    with pytest.raises(WavezooError, match="not 128 x 128"):
        find_dataset("lra_pathx").read(DataSource(str(tmp_path)))
    (tmp_path / "metadata" / "0.npy").write_text("imgs/0 sample")
    with pytest.raises(WavezooError, match=r"0\.npy is damaged"):
        find_dataset("lra_pathfinder").read(DataSource(str(tmp_path)))


@pytest.mark.parametrize("seed", [-1, 2**32, 2**64])
def test_seeds_that_cannot_be_are_refused_before_anything_is_written(seed, tmp_path):
    for generate in (
        lambda: pathfinder.generate(tmp_path / "out", 32, 1, seed, 1, ignore),
        lambda: listops.generate(tmp_path / "out", seed, {"train": 1, "validation": 1, "test": 1}, ignore),
    ):
        with pytest.raises(WavezooError, match=f"seed is {seed}; give a whole number from 0 to 4294967295"):
            generate()
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("note", ["", "[]", "{", "[" * 100_000])
def test_a_damaged_note_is_one_message(note, tmp_path):
    (tmp_path / "metadata").mkdir()
    (tmp_path / "metadata" / "0.npy").write_text("imgs/0 sample_0.png 0 1\n")
    (tmp_path / "made_by.json").write_text(note)
    with pytest.raises(WavezooError, match=r"made_by\.json is damaged"):
        find_dataset("lra_pathfinder").read(DataSource(str(tmp_path)))
    with pytest.raises(WavezooError, match=r"made_by\.json is damaged"):
        pathfinder.generate(tmp_path, 32, 1, 0, 1, ignore)


@pytest.mark.parametrize(("size", "count", "workers"), [(33, 1, 1), (32, 0, 1), (32, 1, 0)])
def test_what_cannot_be_generated(size, count, workers, tmp_path):
    with pytest.raises(WavezooError, match=r"size is 33|count is 0|workers is 0"):
        pathfinder.generate(tmp_path / "out", size, count, 0, workers, ignore)
    with pytest.raises(WavezooError, match=r"contour_length is 7.*6, 9"):
        pathfinder.generate(tmp_path / "out", 32, 1, 0, 1, ignore, contour_length=7)
    assert not (tmp_path / "out").exists()


def test_a_folder_with_something_else_is_not_touched(tmp_path):
    (tmp_path / "mine").write_text("precious")
    for generate in (
        lambda: pathfinder.generate(tmp_path, 32, 1, 0, 1, ignore),
        lambda: listops.generate(tmp_path, 0, {"train": 1, "validation": 1, "test": 1}, ignore),
    ):
        with pytest.raises(WavezooError, match="holds something else"):
            generate()
    assert [file.name for file in tmp_path.iterdir()] == ["mine"]


def value_of(tokens):
    """Evaluate an expression from its tokens, by a stack."""
    stack = [[]]
    for token in tokens:
        if token == "]":
            operator, *values = stack.pop()
            ordered = sorted(values)
            middle = len(ordered) // 2
            median = ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) // 2
            answers = {"[MIN": ordered[0], "[MAX": ordered[-1], "[MED": median, "[SM": sum(values) % 10}
            stack[-1].append(answers[operator])
        elif token.startswith("["):
            stack.append([token])
        else:
            stack[-1].append(int(token))
    return stack[0][0]


def test_listops_has_the_right_values_and_lengths(tmp_path):
    counts = {"train": 20, "validation": 5, "test": 5}
    listops.generate(tmp_path / "one", 0, counts, ignore)
    listops.generate(tmp_path / "two", 0, counts, ignore)
    assert files(tmp_path / "one") == files(tmp_path / "two")
    data = find_dataset("listops").read(DataSource(str(tmp_path / "one"), partial=True))
    seen = set()
    for split in (data.train, data.validation, data.test):
        for index, label in enumerate(split.targets):
            tokens = [listops.TOKENS[token] for token in split.inputs[index]]
            assert tokens.pop() == "<end>"
            assert 500 < len(tokens) < 2000
            assert value_of(tokens) == label
            seen.add(tuple(tokens))
    assert len(seen) == 30
    assert json.loads((tmp_path / "one" / "made_by.json").read_text())["task"] == "listops"


def test_listops_trees():
    rng = np.random.default_rng(0)
    trees = [listops.draw_tree(rng)[0] for _ in range(4000)]
    operators = sum(len(tokens) > 1 for tokens in trees) / len(trees)
    assert abs(operators - 0.25) < 4 * (0.25 * 0.75 / 4000) ** 0.5
    deepest = [listops.draw_tree(rng, depth=10)[0] for _ in range(100)]
    assert all(len(tokens) == 1 for tokens in deepest)


@pytest.mark.parametrize("row", ["[MIN 1 2 ]", "[MEAN 1 2 ]\t1", "[MIN 1 2 ]\tx"])
def test_a_damaged_listops_file_names_the_line(row, tmp_path):
    good = "Source\tTarget\n( [MIN 3 4 ] )\t3\n"
    for name in ("basic_train.tsv", "basic_val.tsv", "basic_test.tsv"):
        (tmp_path / name).write_text(good)
    data = find_dataset("listops").read(DataSource(str(tmp_path), partial=True))
    assert [listops.TOKENS[token] for token in data.test.inputs[0]] == ["[MIN", "3", "4", "]", "<end>"]
    (tmp_path / "basic_val.tsv").write_text(good + row + "\n")
    with pytest.raises(WavezooError, match=r"basic_val\.tsv:3 is no expression"):
        find_dataset("listops").read(DataSource(str(tmp_path), partial=True))
