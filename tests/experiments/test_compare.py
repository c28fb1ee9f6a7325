"""Comparisons: what suits a variant is chosen on validation samples, and nothing is trained twice."""

import pytest

from wavezoo.cli.app import main
from wavezoo.errors import WavezooError
from wavezoo.experiments.compare import Trainings, compare, record_of
from wavezoo.experiments.comparison import Comparison, Plan, comparison_files, find_comparison, load_comparison
from wavezoo.runs.folder import RunFolder

LR = "optimizer.lr"


def comparison(**changes):
    content = {
        "title": "Digits",
        "recipe": "quickstart",
        "variants": {"wave": {}, "none": {"model.mixer": "none"}},
        "choose": {LR: [1e-3, 1e-30]},
        "trial": {"data.validation": 0.2},
        "seeds": [0, 1],
    }
    return Comparison.model_validate(content | changes)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    return compare(comparison(), tmp_path_factory.mktemp("compared"), small=True)


def test_every_variant_takes_what_its_own_trials_found_best(trained):
    for variant in trained.plan.comparison.variants:
        found = {job.choice[LR]: trained.trial(job).value for job in trained.plan.trials(variant)}
        assert found[trained.chosen(variant)[LR]] == max(found.values())


def test_trials_are_measured_on_validation_samples_and_never_count(trained):
    for variant in trained.plan.comparison.variants:
        for job in trained.plan.trials(variant):
            assert {each.split for each in RunFolder(trained.folder(job)).read_metrics()} == {"validation"}
    record = record_of(trained, "command", trained.out)
    assert all(len(row["accuracy"]) == 2 for row in record.rows)


def test_what_is_trained_is_not_trained_again(trained):
    assert not list(trained.open_jobs())
    told = []
    compare(comparison(), trained.out, small=True, say=told.append)
    assert not told


def test_what_another_process_works_on_is_left_to_it(trained, tmp_path, monkeypatch):
    import wavezoo.experiments.compare as module
    from wavezoo.runs.lock import FolderLock

    one = comparison(variants={"wave": {}}, choose={}, seeds=[0, 1])
    trainings = Trainings(Plan(one, small=True), tmp_path)
    held, *_ = trainings.open_jobs()
    claim, lock = trainings.claim(held), FolderLock()
    claim.mkdir(parents=True)
    assert lock.acquire(claim)

    def other_process_ends(seconds):
        lock.release(claim)

    monkeypatch.setattr(module.time, "sleep", other_process_ends)
    told = []
    compare(one, tmp_path, small=True, say=told.append)
    assert [line.split(":")[0] for line in told if line.endswith("begins")] == ["wave/seed 1", "wave/seed 0"]


def test_a_folder_of_another_comparison_is_refused(trained):
    with pytest.raises(WavezooError, match=r"batch_size 16.*asks for 8.*--out"):
        compare(comparison(common={"batch_size": 8}), trained.out, small=True)


def test_nothing_is_chosen_on_test_samples(tmp_path):
    with pytest.raises(WavezooError, match=r"test samples.*validation"):
        compare(comparison(trial={}), tmp_path, small=True)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"variants": {"wave": {"model.mixr": "none"}}}, "mixr"),
        ({"choose": {"optimizer.lr": [-1.0, 1.0]}}, "optimizer.lr"),
        ({"recipe": "quickstarted"}, "quickstart"),
    ],
)
def test_what_cannot_be_trained_is_told_before_anything_is_written(tmp_path, changes, said):
    with pytest.raises(WavezooError, match=said):
        compare(comparison(**changes), tmp_path / "out", small=True)
    assert not (tmp_path / "out").exists()


def test_a_wrong_key_is_told_with_its_line(tmp_path):
    file = tmp_path / "mine.yaml"
    file.write_text("title: x\nrecipe: quickstart\nvariant: {}\n")
    with pytest.raises(WavezooError, match=r"mine\.yaml:?\d*.*varian"):
        load_comparison(file)


@pytest.mark.parametrize("name", comparison_files())
def test_shipped_comparisons_can_be_trained(name):
    Plan(find_comparison(name))


def test_the_command_line_names_what_there_is(capsys, tmp_path):
    with pytest.raises(SystemExit) as left:
        main(["compare", "no_such_comparison", "--out", str(tmp_path / "out")])
    assert left.value.code == 2
    assert "no_such_comparison" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
