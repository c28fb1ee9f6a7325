"""Run folders that are damaged in any way: every command that reads one works, or says so in one message."""

import io
import json
import math
import shutil

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.torch import load, save

from wavezoo.config.recipe import find_recipe, load_recipe
from wavezoo.train import smoke, train
from wavezoo.train.loop import Trainer

SHARED = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
COMMANDS = [
    ("evaluate", "run", "--device", "cpu"),
    ("evaluate", "run", "--device", "cpu", "--weights", "best"),
    ("runs", "."),
    ("runs", "run", "--compare"),
    ("runs", "run", "--seeds"),
    ("train", "--resume", "run", "--device", "cpu"),
    ("export", "run", "--format", "safetensors", "--out", "model"),
]


@pytest.fixture(scope="module")
def ended(tmp_path_factory):
    """The folder of a run that has ended."""
    run = tmp_path_factory.mktemp("runs") / "run"
    recipe = smoke(load_recipe(find_recipe("quickstart"), ["data.limit_samples=32"]))
    train(recipe, run, "cpu")
    return run


@pytest.fixture(autouse=True)
def nothing_is_trained(monkeypatch):
    class Prepared(Exception):  # noqa: N818
        exit_code = 0

    def stop(self):
        raise Prepared

    monkeypatch.setattr(Trainer, "run", stop)


def _damaged(draw, run, values):
    """Damage one or two files of a run: missing, cut, garbled, of another kind, or with another value somewhere."""
    names = st.sampled_from(sorted(each.name for each in run.iterdir()))
    for name in draw(st.lists(names, min_size=1, max_size=2, unique=True)):
        file = run / name
        if not file.is_file():
            continue
        content = bytearray(file.read_bytes())
        how = draw(st.sampled_from(["missing", "cut", "garbled", "folder", "other", "value", "value"]))
        file.unlink()
        if how == "cut":
            file.write_bytes(content[: draw(st.integers(0, len(content)))])
        elif how == "garbled":
            start = draw(st.integers(0, len(content)))
            content[start : start + draw(st.integers(0, 20))] = draw(st.binary(max_size=20))
            file.write_bytes(content)
        elif how == "folder":
            file.mkdir()
        elif how == "other":
            file.write_text(draw(st.sampled_from(["", "{}", "[]", "null", "1", "{}\n{}", "a: b", "\0", '{"a": NaN}'])))
        elif how == "value":
            _with_another_value(draw, file, bytes(content), values)


def _with_another_value(draw, file, content, values):
    if file.suffix == ".json":
        file.write_text(json.dumps(_changed(draw, json.loads(content), values)))
    elif file.suffix == ".jsonl":
        lines = [_changed(draw, json.loads(line), values) for line in content.splitlines()]
        file.write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    elif file.suffix == ".pt":
        torch.save(_changed(draw, torch.load(io.BytesIO(content), weights_only=True), values), file)
    elif file.suffix == ".safetensors":
        tensors = st.sampled_from([torch.zeros(()), torch.full((2, 3), math.nan)])
        file.write_bytes(save(_changed(draw, load(content), tensors)))
    else:
        file.write_bytes(content)


def _changed(draw, record, values):
    """Replace or remove one value, somewhere."""
    section = record
    while isinstance(section, (dict, list)) and section:
        key = draw(st.sampled_from(list(section) if isinstance(section, dict) else range(len(section))))
        if not isinstance(section[key], (dict, list)) or draw(st.integers(0, 3)) == 0:
            if draw(st.integers(0, 3)):
                section[key] = draw(values)
            else:
                del section[key]
            break
        section = section[key]
    return record


def _read(command, in_empty_folder, ended, values, data):
    with in_empty_folder() as folder:
        shutil.copytree(ended, folder / "run")
        if data.draw(st.booleans()):
            (folder / "run" / "summary.json").unlink()
        _damaged(data.draw, folder / "run", values)
        command(*data.draw(st.sampled_from(COMMANDS)))


@settings(max_examples=30, suppress_health_check=SHARED)
@given(data=st.data())
def test_a_damaged_run_is_read_or_refused(command, in_empty_folder, ended, values, data):
    _read(command, in_empty_folder, ended, values, data)


@pytest.mark.slow
@settings(max_examples=300, suppress_health_check=SHARED)
@given(data=st.data())
def test_many_damaged_runs_are_read_or_refused(command, in_empty_folder, ended, values, data):
    _read(command, in_empty_folder, ended, values, data)
