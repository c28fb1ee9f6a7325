import json
import sys

import pytest
import torch
from safetensors.torch import load_file, save_file
from wavezoo.train.prepare import build_model, build_optimizer

from wavezoo.config.recipe import find_recipe, load_recipe
from wavezoo.data import DataSource, find_dataset
from wavezoo.errors import PluginError, WavezooError
from wavezoo.train import average_runs, compare_runs, evaluate, list_runs, smoke, train

TINY = [
    "model.dims=[8, 8, 8, 8]",
    "model.depths=[1, 1, 1, 1]",
    "epochs=2",
    "batch_size=16",
    "data.limit_samples=48",
]
CPU = "cpu"


def quickstart(*overrides):
    return load_recipe(find_recipe("quickstart"), [*TINY, *overrides])


@pytest.fixture
def run(tmp_path):
    out = tmp_path / "run"
    return out, train(quickstart(), out, CPU)


def test_a_run_folder_holds_what_the_run_was(run):
    out, summary = run
    assert {file.name for file in out.iterdir()} == {
        "recipe.yaml",
        "metrics.jsonl",
        "summary.json",
        "last.safetensors",
        "best.safetensors",
        "dataset.json",
        "confusion.csv",
        "curves.png",
        "checkpoint-000000003.pt",
        "checkpoint-000000006.pt",
    }
    assert load_recipe(out / "recipe.yaml") == quickstart()
    metrics = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    assert [each["epoch"] for each in metrics] == [1, 2]
    assert json.loads((out / "summary.json").read_text()) == summary
    assert summary["accuracy"] == metrics[-1]["test_accuracy"]
    assert summary["best_accuracy"] == max(each["test_accuracy"] for each in metrics)
    assert summary["parameters"] == sum(value.numel() for value in load_file(out / "last.safetensors").values())


def test_evaluate_gives_the_same_accuracy(run):
    out, summary = run
    assert evaluate(out, device=CPU).accuracy == summary["accuracy"]
    assert evaluate(out, "best", CPU).accuracy == summary["best_accuracy"]


def test_the_same_seed_gives_the_same_weights(run, tmp_path):
    out, _ = run
    train(quickstart(), tmp_path / "again", CPU)
    train(quickstart("seed=1"), tmp_path / "other", CPU)
    first, again, other = (
        load_file(each / "last.safetensors") for each in (out, tmp_path / "again", tmp_path / "other")
    )
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not all(torch.equal(first[name], other[name]) for name in first)


@pytest.mark.parametrize(
    "overrides",
    [
        ["precision=bf16"],
        ["augmentation.mixup=0.2", "augmentation.cutmix=1.0"],
        ["augmentation.rand_augment=rand-m7-mstd0.5-inc1", "augmentation.random_erasing=0.5"],
        ["augmentation.horizontal_flip=0.5", "augmentation.crop_padding=2"],
        ["schedule.name=constant", "schedule.warmup_epochs=1"],
        ["schedule.name=constant"],
        ["optimizer.name=lion", "optimizer.clip_grad=null"],
        ["data.workers=1"],
        ["model.name=wavepde_iso_tiny_paper"],
        ["model.integrator=symplectic_euler", "model.damping=none"],
        ["channels_last=true", "ema=0.5", "optimizer.physics_lr=1e-4"],
        ["model.mixer=none", "evaluation.every_epochs=5"],
        ["model={name: wavepde_seq_tiny, dim: 8, depth: 1}"],
    ],
    ids=" ".join,
)
def test_options_train(overrides, tmp_path):
    summary = train(quickstart(*overrides, "epochs=1"), tmp_path / "run", CPU)
    assert 0 <= summary["accuracy"] <= 1


def test_the_learning_rate_follows_the_schedule(tmp_path):
    rates = {}
    for schedule in ("cosine", "constant"):
        overrides = [f"schedule.name={schedule}", "schedule.warmup_epochs=1", "epochs=4", "optimizer.lr=1e-3"]
        train(quickstart(*overrides), tmp_path / schedule, CPU)
        lines = (tmp_path / schedule / "metrics.jsonl").read_text().splitlines()
        rates[schedule] = [json.loads(line)["learning_rate"] for line in lines]
    assert rates["constant"] == [1e-3] * 4
    assert rates["cosine"][0] > rates["cosine"][1] > rates["cosine"][2] > rates["cosine"][3]


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["model.name=wavepde_tinyy"], "nearest first: wavepde_tiny"),
        (["model.integrator=verlet"], "nearest first: velocity_verlet"),
        (["model.steps=0"], "steps is 0"),
        (["model.stepz=4"], "nearest first: steps"),
        (["model.depths=3"], "depths is 3"),
        (["model.num_classes=3"], "follows from the data set"),
        (["model.patch_size=16"], "too small"),
        (["optimizer.name=adamww"], "nearest first: adamw"),
        (["batch_size=64"], "more than the 48 training samples"),
        (["data.name=digitz"], "nearest first: digits"),
        (["data.name=fashion_mnist", "data.path=/nowhere"], "not a folder"),
        (["augmentation.rand_augment=banana"], "rand-m9"),
        (["precision=fp16"], "needs a GPU"),
        (["fsdp=true"], "shards a model over several GPUs"),
        (["fsdp=true", "ema=0.9"], "Drop one of the two"),
        (["augmentation.shift=2"], r"augmentation\.shift is for sequences"),
        (["data.tokens=true"], r"data\.tokens is no option of digits"),
        (["data.validation=0.99"], "leaves no training samples"),
        (
            ["model={name: wavepde_seq_tiny}", "channels_last=true"],
            "channels_last is for image models",
        ),
        (["model={name: wavepde_seq_tiny}", "augmentation.mixup=1.0"], "mixup is for image models"),
        (["data.name=mnist1d"], "is a model for images, and mnist1d is a set of sequences"),
        (["plugins=[wavezoo-missing]"], "pip install wavezoo-missing"),
    ],
)
def test_bad_input_leaves_nothing_behind(overrides, message, tmp_path):
    with pytest.raises(WavezooError, match=message):
        train(quickstart(*overrides), tmp_path / "run", CPU)
    assert not list(tmp_path.iterdir())


def test_devices(tmp_path):
    with pytest.raises(WavezooError, match="device is 'tpu'; allowed"):
        train(quickstart(), tmp_path / "run", "tpu")


def test_a_used_run_folder_is_not_touched(tmp_path):
    (tmp_path / "mine").write_text("precious")
    with pytest.raises(WavezooError, match="exists already"):
        train(quickstart(), tmp_path, CPU)
    assert (tmp_path / "mine").read_text() == "precious"


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (
            ["model.preset=paper", "model.dt=1.0e+6"],
            r"step 1: the loss is nan.*stages\.0\.blocks\.0\.mixer\.operator the Courant number.*courant_guard=limit",
        ),
        (["optimizer.lr=1e30", "optimizer.clip_grad=null"], r"step \d+: .*(optimizer\.lr|courant_guard)"),
    ],
)
def test_a_diverging_run_says_where_and_what_to_change(overrides, message, tmp_path):
    with pytest.raises(WavezooError, match=message):
        train(quickstart(*overrides, "schedule.warmup_epochs=0"), tmp_path / "run", CPU)
    assert (tmp_path / "run" / "recipe.yaml").is_file()


def test_what_was_saved_before_a_divergence_stays(tmp_path):
    overrides = ["schedule.name=constant", "schedule.warmup_epochs=0", "optimizer.clip_grad=null", "epochs=200"]
    with pytest.raises(WavezooError, match="stopped at step"):
        train(quickstart(*overrides, "optimizer.lr=1e12", "model.preset=paper"), tmp_path / "run", CPU)
    assert not list((tmp_path / "run").glob("*.part"))


def test_damaged_run_folders(run, tmp_path):
    out, _ = run
    with pytest.raises(WavezooError, match="no run folder"):
        evaluate(tmp_path / "none", device=CPU)
    with pytest.raises(WavezooError, match="no fancy"):
        evaluate(out, "fancy", CPU)
    weights = out / "last.safetensors"
    content = weights.read_bytes()
    weights.write_bytes(content[:-100])
    with pytest.raises(WavezooError, match="damaged or no safetensors file"):
        evaluate(out, device=CPU)
    save_file({"other": torch.zeros(1)}, weights)
    with pytest.raises(WavezooError, match="does not fit"):
        evaluate(out, device=CPU)
    weights.unlink()
    with pytest.raises(WavezooError, match=r"no last\.safetensors"):
        evaluate(out, device=CPU)


def test_a_recipe_only_requires_plugins(tmp_path):
    with pytest.raises(PluginError, match="is required and not loaded"):
        train(quickstart("plugins=[os]"), tmp_path / "run", CPU)


@pytest.mark.slow
def test_quickstart_reaches_what_the_readme_says(tmp_path):
    assert train(load_recipe(find_recipe("quickstart")), tmp_path / "run", CPU)["accuracy"] >= 0.95


def test_a_recipe_names_the_mixer():
    recipe = quickstart("model.mixer=attention")
    model = build_model(recipe, find_dataset(recipe.data.name).facts)
    assert type(model.stages[0].blocks[0].mixer.mixer).__name__ == "AttentionMixer"


def test_batch_norm_is_refused_for_several_lengths():
    recipe = load_recipe(find_recipe("lra_listops"), ["model.norm=batch"])
    with pytest.raises(WavezooError, match="of several lengths"):
        build_model(recipe, find_dataset(recipe.data.name).facts)


def test_two_accumulated_batches_are_one_of_twice_the_size(tmp_path):
    for name, overrides in (("one", ["batch_size=16"]), ("two", ["batch_size=8", "optimizer.accumulate=2"])):
        train(quickstart(*overrides, "epochs=1"), tmp_path / name, CPU)
    one, two = (load_file(tmp_path / name / "last.safetensors") for name in ("one", "two"))
    # Adam divides gradients by their size: where they are rounding, so are its steps.
    assert all(torch.allclose(value, two[name], atol=3e-4) for name, value in one.items())


def test_physical_parameters_have_a_group_of_their_own():
    recipe = quickstart("optimizer.physics_lr=1e-5")
    model = build_model(recipe, find_dataset("digits").facts)
    groups = build_optimizer(recipe, model).param_groups
    physical = {id(value) for name, value in model.named_parameters() if name in model.no_weight_decay()}
    assert physical
    for group in groups:
        here = {id(value) for value in group["params"]}
        assert here == physical if group.get("physical") else not here & physical
        assert group["lr"] == (1e-5 if group.get("physical") else 3e-3)
        if group["weight_decay"]:
            assert all(value.ndim > 1 for value in group["params"])
    assert sum(len(group["params"]) for group in groups) == len(list(model.parameters()))


def test_ema_is_what_is_tested_and_saved(tmp_path):
    plain, averaged = (
        train(quickstart("epochs=1", *more), tmp_path / str(len(more)), CPU) for more in ([], ["ema=0.999"])
    )
    trained, mean = (load_file(tmp_path / name / "last.safetensors") for name in ("0", "1"))
    fresh = build_model(quickstart(), find_dataset("digits").facts)
    assert plain["updates"] == averaged["updates"]
    name = "stem.conv.weight"
    assert not torch.equal(trained[name], mean[name])
    assert evaluate(tmp_path / "1", device=CPU).accuracy == averaged["accuracy"]
    assert trained.keys() == mean.keys() == fresh.state_dict().keys()


def test_training_stops_when_nothing_gets_better(tmp_path):
    recipe = quickstart("epochs=50", "optimizer.lr=1e-12", "evaluation.patience=2", "data.validation=0.2")
    summary = train(recipe, tmp_path / "run", CPU)
    assert (summary["epochs"], summary["best_epoch"], summary["best_by"]) == (3, 1, "validation")
    assert summary["best_accuracy"] == evaluate(tmp_path / "run", "best", CPU).accuracy


def test_the_confusion_matrix_counts_each_image_once(run):
    out, summary = run
    rows = [line.split(",") for line in (out / "confusion.csv").read_text().splitlines()]
    counts = torch.tensor([[int(cell) for cell in row[1:]] for row in rows[1:]])
    assert counts.sum() == 48
    labels = find_dataset("digits").read(DataSource(limit_samples=48)).test.targets
    assert counts.sum(1).tolist() == [int((labels == digit).sum()) for digit in range(10)]
    assert counts.diagonal().sum() / 48 == pytest.approx(summary["accuracy"])
    shares = counts.diagonal() / counts.sum(1).clamp(min=1)
    assert list(summary["accuracy_by_class"].values()) == pytest.approx(shares.tolist())


def test_the_courant_margin_is_measured(tmp_path):
    out = tmp_path / "run"
    train(quickstart("model.preset=stepped"), out, CPU)
    margins = [json.loads(line)["courant_margin"] for line in (out / "metrics.jsonl").read_text().splitlines()]
    assert all(0 < margin < 1 for margin in margins)


def test_tensorboard(tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    train(quickstart("logger=tensorboard"), tmp_path / "run", CPU)
    events = EventAccumulator(str(tmp_path / "run" / "tensorboard")).Reload()
    metrics = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    assert [each.value for each in events.Scalars("loss")] == pytest.approx([each["loss"] for each in metrics])


def test_without_matplotlib_there_are_no_curves(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    train(quickstart("epochs=1"), tmp_path / "run", CPU)
    assert not (tmp_path / "run" / "curves.png").exists()
    assert (tmp_path / "run" / "summary.json").is_file()


@pytest.mark.slow
def test_a_compiled_model_trains_the_same(tmp_path):
    eager, compiled = (train(quickstart("epochs=1", f"compile={on}"), tmp_path / on, CPU) for on in ("false", "true"))
    losses = [json.loads((tmp_path / on / "metrics.jsonl").read_text())["loss"] for on in ("false", "true")]
    assert losses[0] == pytest.approx(losses[1], rel=1e-4)
    assert eager["updates"] == compiled["updates"]


@pytest.mark.parametrize("name", ["mnist1d", "quickstart"])
def test_every_recipe_can_be_made_small(name, tmp_path):
    assert train(smoke(load_recipe(find_recipe(name))), tmp_path / "run", CPU)["epochs"] == 1


def test_runs_are_listed_best_first_and_compared(tmp_path):
    for name, overrides in (("a", ["optimizer.lr=1e-12"]), ("b", ["seed=1"])):
        train(quickstart("epochs=1", *overrides), tmp_path / name, CPU)
    (tmp_path / "b" / "summary.json").unlink()
    header, *rows = list_runs([tmp_path])
    accuracies = [float(row[header.index("accuracy")].rstrip("%")) for row in rows]
    assert accuracies == sorted(accuracies, reverse=True)
    assert {row[0]: row[2] for row in rows} == {str(tmp_path / "a"): "ended", str(tmp_path / "b"): "unfinished"}
    compared = compare_runs([tmp_path / "a", tmp_path / "b"])
    assert compared[0] == ("key", str(tmp_path / "a"), str(tmp_path / "b"))
    assert {row[0] for row in compared[1:]} == {"optimizer.lr", "seed"}


def test_runs_that_differ_in_their_seed_are_averaged(tmp_path):
    for name, overrides in {
        "a": ["seed=1", "logger=tensorboard"],
        "b": ["seed=0"],
        "c": ["optimizer.lr=1e-12"],
        "d": ["seed=2"],
    }.items():
        train(quickstart("epochs=1", *overrides), tmp_path / name, CPU)
    (tmp_path / "d" / "summary.json").unlink()
    header, *rows = average_runs([tmp_path])
    found = {row[header.index("seeds")]: dict(zip(header, row, strict=True)) for row in rows}
    one, two = (json.loads((tmp_path / name / "summary.json").read_text())["accuracy"] for name in "ab")
    both = found["0, 1"]
    assert (both["mean"], both["lowest"]) == (f"{(one + two) / 2:.2%}", f"{min(one, two):.2%}")
    assert both["deviation"] == f"{abs(one - two) / 2**0.5:.2%}"
    assert "optimizer.lr=1e-12" in found["0"]["settings"]
    assert "optimizer.lr=0.003" in both["settings"]
    means = [float(row[header.index("mean")].rstrip("%")) for row in rows]
    assert means == sorted(means, reverse=True)
    for name in "abc":
        (tmp_path / name / "summary.json").unlink()
    with pytest.raises(WavezooError, match="has ended"):
        average_runs([tmp_path])


def test_muon_leaves_physical_parameters_to_adamw():
    recipe = quickstart("optimizer.name=muon", "model.preset=stepped")
    model = build_model(recipe, find_dataset("digits").facts)
    physical = {name: value for name, value in model.named_parameters() if name in model.no_weight_decay()}
    assert any(value.ndim > 1 for value in physical.values())
    optimizer, before = build_optimizer(recipe, model), {name: value.clone() for name, value in physical.items()}
    (1e4 * model(torch.randn(4, 1, 8, 8)).logsumexp(1).sum()).backward()
    optimizer.step()
    # The first step of Adam is of one length, whatever the gradient.
    for name, value in physical.items():
        moved = (value - before[name]).abs()[value.grad.abs() > 1e-6]
        assert torch.allclose(moved, moved.max(), rtol=0.05), name
