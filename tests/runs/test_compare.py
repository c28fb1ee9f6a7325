"""Run folders side by side: numbers, the best first, and no damaged file hides another run."""

import json
from dataclasses import asdict, replace

import pytest

from wavezoo.config.recipe import find_recipe, load_recipe, with_overrides
from wavezoo.data import find_dataset
from wavezoo.errors import WavezooError
from wavezoo.runs.compare import average_runs, compare_runs, list_runs
from wavezoo.runs.folder import RunFolder, versions
from wavezoo.runs.records import Measurement, Summary

RECIPE = load_recipe(find_recipe("quickstart"))
MEASURED = Measurement(1, 3, 48, 2.0, "test", {"accuracy": 0.25}, 1e-3, None, None, 10.0, 4.5)


def summary(result, higher_is_better=True, seed=0):
    return Summary(
        recipe="quickstart",
        model="m",
        data="d",
        task="classification",
        decides="accuracy",
        higher_is_better=higher_is_better,
        last={"accuracy": result},
        best={"accuracy": result},
        best_epoch=2,
        best_updates=6,
        best_by="test",
        epochs=2,
        updates=6,
        samples=96,
        parameters=100,
        seconds=60.0,
        device="cpu",
        processes=1,
        seed=seed,
        versions=versions(),
    )


def make(path, ended=None, metrics=(), *overrides):
    folder = RunFolder(path)
    with folder.created(with_overrides(RECIPE, overrides), find_dataset("digits").facts):
        folder.write_metrics(metrics)
        if ended is not None:
            folder.write_summary(ended)


@pytest.mark.parametrize("higher_is_better", [True, False])
def test_the_best_run_comes_first(higher_is_better, tmp_path):
    for name, result in {"a": 0.5, "b": 0.75, "c": 0.25}.items():
        make(tmp_path / name, summary(result, higher_is_better))
    make(tmp_path / "d")
    records = list_runs([tmp_path])
    expected = ["b", "a", "c", "d"] if higher_is_better else ["c", "a", "b", "d"]
    assert [record.path.name for record in records] == expected
    assert [record.ended for record in records] == [True, True, True, False]


def test_an_unfinished_run_tells_its_newest_numbers(tmp_path):
    make(tmp_path / "run", None, [MEASURED, replace(MEASURED, epoch=2, metrics={"accuracy": 0.5})])
    (record,) = list_runs([tmp_path])
    assert (record.epoch, record.result, record.decides, record.seconds) == (2, 0.5, "accuracy", 4.5)


@pytest.mark.parametrize("name", ["recipe.yaml", "summary.json", "metrics.jsonl"])
@pytest.mark.parametrize("content", ["{}", "nonsense", ""])
def test_a_damaged_file_hides_no_other_run(name, content, tmp_path):
    for run in "ab":
        make(tmp_path / run, summary(0.5), [MEASURED])
    (tmp_path / "a" / name).write_text(content)
    good, bad = list_runs([tmp_path])
    if (name, content) == ("metrics.jsonl", ""):
        return
    assert (good.path.name, good.problem) == ("b", None)
    assert (bad.path.name, bad.result) == ("a", None)
    assert name in bad.problem
    assert [each.seeds for each in average_runs([tmp_path])] == [(0,)]


def test_differences_are_named(tmp_path):
    make(tmp_path / "a", None, (), "optimizer.lr=1e-12")
    make(tmp_path / "b", None, (), "seed=1")
    assert compare_runs([tmp_path / "a", tmp_path / "b"]) == {"optimizer.lr": [1e-12, 3e-3], "seed": [0, 1]}


def test_runs_that_differ_in_their_seed_are_averaged(tmp_path):
    for name, (result, *overrides) in {
        "a": (0.5, "seed=1", "logger=tensorboard"),
        "b": (0.25, "seed=0"),
        "c": (0.125, "optimizer.lr=1e-12"),
    }.items():
        make(tmp_path / name, summary(result), (), *overrides)
    make(tmp_path / "d", None, (), "seed=2")
    first, second = average_runs([tmp_path])
    assert (first.seeds, first.results, first.mean) == ((0, 1), (0.25, 0.5), 0.375)
    assert first.deviation == pytest.approx(0.25 / 2**0.5)
    assert (second.seeds, second.deviation) == ((0,), None)
    assert (first.settings, second.settings) == ({"optimizer.lr": 3e-3}, {"optimizer.lr": 1e-12})
    for name in "abc":
        (tmp_path / name / "summary.json").unlink()
    with pytest.raises(WavezooError, match="has ended"):
        average_runs([tmp_path])


def test_no_runs(tmp_path):
    with pytest.raises(WavezooError, match="holds no run"):
        list_runs([tmp_path])
    with pytest.raises(WavezooError, match="is not a folder"):
        list_runs([tmp_path / "none"])


def test_numbers_are_under_documented_keys(tmp_path):
    make(tmp_path / "run", summary(0.5), [MEASURED])
    for name, record in (("summary.json", Summary), ("metrics.jsonl", Measurement)):
        content = json.loads((tmp_path / "run" / name).read_text())
        assert set(content) == set(record.__dataclass_fields__)
        documented = record.__doc__
        assert all(f"        {key}: " in documented for key in content if key != "format")
    assert asdict(summary(0.5))["format"] == 1
