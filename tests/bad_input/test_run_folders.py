"""Run folders that are damaged in any way: every command that reads one works, or says so in one message."""

import json
import shutil

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

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
    for name in draw(st.lists(st.sampled_from(sorted(each.name for each in run.iterdir())), min_size=1, max_size=2)):
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
            file.write_bytes(_with_another_value(draw, bytes(content), values) if name.endswith("json") else content)


def _with_another_value(draw, content, values):
    section = record = json.loads(content)
    while isinstance(section, (dict, list)) and section:
        key = draw(st.sampled_from(sorted(section) if isinstance(section, dict) else range(len(section))))
        if not isinstance(section[key], (dict, list)) or draw(st.booleans()):
            section[key] = draw(values)
            break
        section = section[key]
    return json.dumps(record).encode()


def _read(command, in_empty_folder, ended, values, data):
    with in_empty_folder() as folder:
        shutil.copytree(ended, folder / "run")
        if data.draw(st.booleans()):
            (folder / "run" / "summary.json").unlink()
        _damaged(data.draw, folder / "run", values)
        command(*data.draw(st.sampled_from(COMMANDS)))


@settings(max_examples=150, suppress_health_check=SHARED)
@given(data=st.data())
def test_a_damaged_run_is_read_or_refused(command, in_empty_folder, ended, values, data):
    _read(command, in_empty_folder, ended, values, data)


@pytest.mark.slow
@settings(max_examples=3000, suppress_health_check=SHARED)
@given(data=st.data())
def test_many_damaged_runs_are_read_or_refused(command, in_empty_folder, ended, values, data):
    _read(command, in_empty_folder, ended, values, data)
