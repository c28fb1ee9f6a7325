import pytest

from wavezoo.config.recipe import find_recipe, load_recipe
from wavezoo.errors import WavezooError
from wavezoo.experiments import read_record, render
from wavezoo.experiments.collect import add
from wavezoo.plugins.registry import registry
from wavezoo.runs.folder import RunFolder
from wavezoo.runs.records import Summary

FACTS = registry.datasets()["digits"].facts


def make_run(path, seed, result=0.5, ended=True, decides="accuracy", **changes):
    overrides = [f"{key.replace('__', '.')}={value}" for key, value in {"seed": seed, **changes}.items()]
    recipe = load_recipe(find_recipe("quickstart"), overrides)
    folder = RunFolder(path)
    with folder.created(recipe, FACTS):
        if ended:
            numbers = {decides: result}
            folder.write_summary(
                Summary(
                    recipe=recipe.name,
                    model=recipe.model.name,
                    data=recipe.data.name,
                    task="classification",
                    decides=decides,
                    higher_is_better=decides == "accuracy",
                    last=numbers,
                    best=numbers,
                    best_epoch=1,
                    best_updates=10,
                    best_by="test",
                    epochs=1,
                    updates=10,
                    samples=480,
                    parameters=12_345,
                    seconds=90.0,
                    device="cpu",
                    processes=1,
                    seed=seed,
                    versions={"torch": "2.14"},
                )
            )
    return path


def test_runs_become_a_row_for_each_setting_and_a_number_for_each_seed(tmp_path):
    runs = [
        make_run(tmp_path / f"{mixer}-{seed}", seed, result, model__mixer=mixer, data__workers=seed)
        for mixer, results in {"wave": (0.5, 0.7), "none": (0.25, 0.25)}.items()
        for seed, result in enumerate(results)
    ]
    add(tmp_path, "trial", [runs[1], runs[2], runs[0], runs[3]], title="A trial")
    record = read_record(tmp_path, "trial")
    assert record.command == "wavezoo train quickstart --set seed=SEED --set model.mixer=MIXER"
    assert record.seeds == [0, 1]
    assert record.versions == {"torch": "2.14"}
    rows = {row["model.mixer"]: row["accuracy"] for row in record.rows}
    assert rows == {"wave": [0.5, 0.7], "none": [0.25, 0.25]}
    assert "| `wave` | 12.3 | 60.00 ± 14.14 (50.00, 70.00) | 1.5 |" in render(record)


def test_what_a_recipe_leaves_out_is_the_default(tmp_path):
    runs = [make_run(tmp_path / "plain", 0), make_run(tmp_path / "other", 0, model__steps=3)]
    add(tmp_path, "trial", runs)
    assert [row["model.steps"] for row in read_record(tmp_path, "trial").rows] == ["default", "3"]


def test_errors_are_shown_as_they_are(tmp_path):
    add(tmp_path, "trial", [make_run(tmp_path / "run", 0, 0.01234, decides="relative_l2")])
    assert "| `quickstart` | 12.3 | 0.0123 (0.0123) | 1.5 |" in render(read_record(tmp_path, "trial"))


def test_runs_that_do_not_fit_are_refused_and_nothing_is_written(tmp_path):
    first = make_run(tmp_path / "first", 0)
    second = make_run(tmp_path / "second", 0)
    third = make_run(tmp_path / "third", 1, model__mixer="none")
    unfinished = make_run(tmp_path / "unfinished", 1, ended=False)
    other = make_run(tmp_path / "other", 1, name="other")
    for runs, message in {
        (first, second): "repeats",
        (first, third): "no run of seed 1",
        (first, unfinished): "--resume",
        (first, other): "recipe is 'other'",
        (first, tmp_path): "no run folder",
    }.items():
        with pytest.raises(WavezooError, match=message):
            add(tmp_path, "trial", runs)
    assert not (tmp_path / "docs").exists()
