"""A run folder is whole or not there, in use by one process, and says what it was made for."""

import json
import os
import signal
import subprocess
import sys
import threading
from dataclasses import asdict, replace

import pytest
import torch
from torch import nn

from wavezoo.config.recipe import find_recipe, load_recipe
from wavezoo.data import find_dataset
from wavezoo.errors import WavezooError
from wavezoo.runs import folder as folders
from wavezoo.runs.folder import RunFolder
from wavezoo.runs.records import Measurement, Summary, as_json, read_record

FACTS = find_dataset("digits").facts
RECIPE = load_recipe(find_recipe("quickstart"))
MEASURED = Measurement(
    epoch=1,
    updates=3,
    samples=48,
    loss=float("nan"),
    split="test",
    metrics={"accuracy": 0.5},
    learning_rate=1e-3,
    physics_learning_rate=None,
    courant_margin=None,
    samples_per_second=10.0,
    seconds=4.5,
)


@pytest.fixture
def run(tmp_path):
    folder = RunFolder(tmp_path / "run")
    with folder.created(RECIPE, FACTS):
        pass
    return folder


def test_a_folder_is_read_as_it_was_made(run):
    assert run.read_recipe() == RECIPE
    assert run.read_facts() == FACTS
    assert run.read_summary() is None
    assert run.read_metrics() == []
    assert sorted(file.name for file in run.path.iterdir()) == ["dataset.json", "recipe.yaml"]
    run.write_metrics([MEASURED, MEASURED])
    assert [replace(each, loss=0.0) for each in run.read_metrics()] == [replace(MEASURED, loss=0.0)] * 2


@pytest.mark.parametrize("call", range(1, 12))
def test_a_folder_that_could_not_be_made_is_not_there(call, tmp_path, monkeypatch):
    """Whatever fails on the way, nothing is left that blocks the next try."""
    calls = iter(range(1, 100))
    for module, name in ((os, "fsync"), (os, "open"), (os, "rename"), (os, "replace")):
        real = getattr(module, name)

        def failing(*arguments, real=real, **options):
            if next(calls) == call:
                raise OSError(28, "No space left on device")
            return real(*arguments, **options)

        monkeypatch.setattr(module, name, failing)
    try:
        with RunFolder(tmp_path / "run").created(RECIPE, FACTS):
            made = True
    except WavezooError:
        made = False
    monkeypatch.undo()
    assert [entry.name for entry in tmp_path.iterdir()] == (["run"] if made else [])
    if not made:
        with RunFolder(tmp_path / "run").created(RECIPE, FACTS):
            pass


def test_a_killed_creation_blocks_nothing_and_is_cleaned_up(tmp_path, monkeypatch):
    path = tmp_path / "run"
    child = os.fork()
    if child == 0:
        monkeypatch.setattr(os, "rename", lambda *arguments: os.kill(os.getpid(), signal.SIGKILL))
        with RunFolder(path).created(RECIPE, FACTS):
            os._exit(0)
    os.waitpid(child, 0)
    assert not path.exists()
    (left,) = tmp_path.iterdir()
    os.utime(left, (0, 0))
    with RunFolder(path).created(RECIPE, FACTS):
        assert [entry.name for entry in tmp_path.iterdir()] == ["run"]


def test_one_of_many_makes_a_folder(tmp_path):
    made, refused, barrier, done = [], [], threading.Barrier(8), threading.Event()

    def make():
        barrier.wait()
        try:
            with RunFolder(tmp_path / "run").created(RECIPE, FACTS):
                made.append(1)
                done.wait(20)
        except WavezooError as error:
            refused.append(str(error))
        if len(refused) == 7:
            done.set()

    threads = [threading.Thread(target=make) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(made), len(refused)) == (1, 7)


def test_a_folder_in_use_is_refused_here_and_in_another_process(run):
    code = (
        "import sys; from pathlib import Path; from wavezoo.runs.folder import RunFolder\n"
        "with RunFolder(Path(sys.argv[1])).resumed(): print('in')"
    )
    command = [sys.executable, "-c", code, str(run.path)]
    with run.resumed():
        with pytest.raises(WavezooError, match="in use by another training"), RunFolder(run.path).resumed():
            pass
        other = subprocess.run(command, capture_output=True, text=True, check=False)
        assert "in use by another training" in other.stderr
    other = subprocess.run(command, capture_output=True, text=True, check=False)
    assert other.stdout == "in\n"
    assert sorted(file.name for file in run.path.iterdir()) == ["dataset.json", "recipe.yaml"]


@pytest.mark.parametrize("leaving", [".recipe.yaml.123.part", ".tmpAb12"])
def test_leavings_of_killed_writers_are_removed(leaving, run):
    (run.path / leaving).write_text("half")
    with run.resumed():
        assert not (run.path / leaving).exists()


def test_a_removed_folder_is_not_made_anew(run):
    for file in run.path.iterdir():
        file.unlink()
    run.path.rmdir()
    for write in (lambda: run.write_metrics([MEASURED]), lambda: run.save_weights({"a": torch.zeros(1)}, "last")):
        with pytest.raises(WavezooError, match="has been removed"):
            write()
    assert not run.path.exists()


@pytest.mark.parametrize(
    ("classes", "message"),
    [
        (("zero", *FACTS.classes[1:]), "missing: 0; new: zero"),
        (FACTS.classes[1:], "missing: 0"),
        ((*FACTS.classes, "ten"), "new: ten"),
        (FACTS.classes[::-1], "in another order"),
    ],
)
def test_other_classes_are_refused(classes, message, run):
    run.check_facts(FACTS)
    with pytest.raises(WavezooError, match=message):
        run.check_facts(replace(FACTS, classes=classes))


def test_other_samples_are_refused(run):
    with pytest.raises(WavezooError, match=r"channels 3.*trained on 1"):
        run.check_facts(replace(FACTS, channels=3))


@pytest.mark.parametrize("content", ["{}", '{"format": 2}', "[]", "null", "{", '{"format": 1}', "[" * 5000, ""])
@pytest.mark.parametrize("name", [folders.FACTS, folders.SUMMARY, folders.METRICS])
def test_damaged_records_are_one_message(name, content, run):
    (run.path / name).write_text(content)
    reading = {folders.FACTS: run.read_facts, folders.SUMMARY: run.read_summary, folders.METRICS: run.read_metrics}
    if name == folders.METRICS and not content:
        assert reading[name]() == []
        return
    with pytest.raises(WavezooError, match=r"damaged|format"):
        reading[name]()


def test_recipes_of_another_format_are_refused(run):
    file = run.path / "recipe.yaml"
    text = file.read_text()
    for content, message in (
        (text.replace("format: 1\n", ""), "an older version wrote it"),
        (text.replace("format: 1\n", "format: 2\n"), "Install a newer one"),
    ):
        file.write_text(content)
        with pytest.raises(WavezooError, match=message):
            run.read_recipe()


def test_records_survive_a_round_trip():
    fields = {"recipe": "r", "model": "m", "data": "d", "task": "t", "decides": "a", "higher_is_better": True}
    numbers = {"last": {"a": 0.5}, "best": {"a": 0.75}, "best_epoch": 1.5, "best_updates": 3, "best_by": "test"}
    rest = {"epochs": 2, "updates": 4, "samples": 8, "parameters": 9, "seconds": 1.0, "device": "cpu", "processes": 1}
    summary = Summary(**fields, **numbers, **rest, seed=0, versions={"torch": "2"})
    assert read_record(Summary, as_json(summary), "here") == summary
    assert json.loads(as_json(MEASURED))["loss"] is None
    content = {**asdict(summary), "decides": "b"}
    with pytest.raises(WavezooError, match="b decides and is not among a"):
        read_record(Summary, json.dumps(content), "here")


class Tied(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(5, 4)
        self.head = nn.Linear(4, 5, bias=False)
        self.head.weight = self.embedding.weight


def test_tied_weights_are_saved_once(run):
    model, other = Tied(), Tied()
    run.save_weights(model.state_dict(), "last")
    run.load_weights(other, "last")
    assert torch.equal(other.head.weight, model.head.weight)
    assert other.head.weight is other.embedding.weight
    assert (run.path / "last.safetensors").stat().st_size < 4 * 5 * 4 * 2 + 200
