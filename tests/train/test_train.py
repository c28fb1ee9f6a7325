"""What a recipe asks for is trained, and what a run leaves behind says so."""

import json
import sys

import pytest
import torch
from safetensors.torch import load_file, save_file

from wavezoo.config.recipe import find_recipe, load_recipe, recipe_names, with_overrides
from wavezoo.data import DataSource, find_dataset
from wavezoo.errors import PluginError, WavezooError
from wavezoo.train import evaluate, load_run, smoke, train

CPU = "cpu"


def test_a_run_folder_holds_what_the_run_was(trained, lines, quickstart):
    out, summary = trained
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
    metrics = lines(out)
    assert [each["epoch"] for each in metrics] == [1, 2]
    assert [each["samples"] for each in metrics] == [48, 96]
    assert summary.last == metrics[-1]["metrics"]
    assert summary.best_result == max(each["metrics"]["accuracy"] for each in metrics)
    assert summary.parameters == sum(value.numel() for value in load_file(out / "last.safetensors").values())
    # As readable for others as everything else.
    assert {file.stat().st_mode & 0o777 for file in out.iterdir()} == {0o644}


def test_evaluate_gives_the_same_numbers(trained):
    out, summary = trained
    assert evaluate(out, device=CPU).numbers == summary.last
    assert evaluate(out, device=CPU).details == summary.details
    assert evaluate(out, "best", CPU).numbers == summary.best


def test_a_run_is_loaded_in_python(trained):
    run = load_run(str(trained[0]))
    images = torch.zeros(2, 1, 8, 8)
    assert run.model(images).shape == (2, 10)
    assert torch.equal(run.model(images), run.model(images))


def test_the_same_seed_gives_the_same_weights(trained, tmp_path, quickstart, weights):
    train(quickstart(), tmp_path / "again", CPU)
    train(quickstart("seed=1"), tmp_path / "other", CPU)
    first, again, other = (weights(each) for each in (trained[0], tmp_path / "again", tmp_path / "other"))
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not all(torch.equal(first[name], other[name]) for name in first)


@pytest.mark.parametrize(
    "overrides",
    [
        ["precision=bf16", "model.integrator=symplectic_euler", "model.damping=none"],
        ["augmentation.mixup=0.2", "augmentation.cutmix=1.0", "schedule.name=constant", "schedule.warmup_epochs=1"],
        ["augmentation.rand_augment=rand-m7-mstd0.5-inc1", "augmentation.random_erasing=0.5", "optimizer.name=lion"],
        ["data.workers=1", "model.name=wavepde_iso_tiny_paper", "augmentation.horizontal_flip=0.5"],
        ["channels_last=true", "ema=0.5", "optimizer.physics_lr=1e-4", "optimizer.clip_grad=null"],
        ["model.mixer=none", "evaluation.every_epochs=5"],
        ["model={name: wavepde_seq_tiny, dim: 8, depth: 1}", "schedule.name=constant"],
        ["model={name: resnet10t}", "task=classification"],
    ],
    ids=" ".join,
)
def test_options_train(overrides, tmp_path, quickstart):
    summary = train(quickstart(*overrides, "epochs=1"), tmp_path / "run", CPU)
    assert 0 <= summary.result <= 1


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["model.name=wavepde_tinyy"], "nearest first: wavepde_tiny"),
        (["model.integrator=verlet"], "nearest first: velocity_verlet"),
        (["model.steps=0"], "steps is 0"),
        (["model.stepz=4"], "nearest.*: steps"),
        (["model.num_classes=3"], "follows from the data set"),
        (["model.patch_size=16"], "too small"),
        (["model={name: resnet10t, nosuch: 1}"], "nosuch"),
        (["model={name: convnext_atto}"], "cannot take images of 8 x 8 pixels|returns"),
        (["task=regresion"], "nearest first: regression"),
        (["task=segmentation"], "learns targets of the kind 'class_map'"),
        (["task={name: classification, mixup: 1}"], "option of the task classification is 'mixup'"),
        (["optimizer.name=adamww"], "nearest first: adamw"),
        (["optimizer.name=adahessian"], "cannot run here"),
        (["optimizer.name=bnbadam8bit"], "cannot run here"),
        (["logger=tensorbord"], "nearest first: tensorboard"),
        (["logger=wandb"], "needs its package"),
        (["batch_size=64"], "more than the 48 training samples"),
        (["data.name=digitz"], "nearest first: digits"),
        (["data.name=fashion_mnist", "data.path=/nowhere"], "not a folder|does not exist"),
        (["augmentation.rand_augment=banana"], "rand-m9"),
        (["precision=fp16"], "needs a GPU"),
        (["fsdp=true"], "shards a model over several GPUs"),
        (["fsdp=true", "ema=0.9"], "Drop one of the two"),
        (["augmentation.shift=2"], r"augmentation\.shift is for sequences"),
        (["data.tokens=true"], r"data\.tokens is no option of digits"),
        (["data.validation=0.99"], "Lower"),
        (["model={name: wavepde_seq_tiny}", "channels_last=true"], "channels_last is for image models"),
        (["model={name: wavepde_seq_tiny}", "augmentation.mixup=1.0"], "mixup is for image models"),
        (["data.name=mnist1d"], "is a model for images, and mnist1d is a set of sequences"),
        (["plugins=[wavezoo-missing]"], "pip install wavezoo-missing"),
    ],
)
def test_bad_input_leaves_nothing_behind(overrides, message, tmp_path, quickstart):
    with pytest.raises(WavezooError, match=message):
        train(quickstart(*overrides), tmp_path / "run", CPU)
    assert not list(tmp_path.iterdir())


def test_devices(tmp_path, quickstart):
    with pytest.raises(WavezooError, match="device is 'tpu'; allowed"):
        train(quickstart(), tmp_path / "run", "tpu")


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (
            ["model.preset=paper", "model.dt=1.0e+6"],
            r"step 1: the loss is nan.*stages\.0\.blocks\.0\.mixer.* the Courant number.*courant_guard=limit",
        ),
        (["optimizer.lr=1e30", "optimizer.clip_grad=null"], r"step \d+: .*(optimizer\.lr|courant_guard)"),
    ],
)
def test_a_diverging_run_says_where_and_what_to_change(overrides, message, tmp_path, quickstart):
    with pytest.raises(WavezooError, match=message):
        train(quickstart(*overrides, "schedule.warmup_epochs=0"), tmp_path / "run", CPU)
    assert (tmp_path / "run" / "recipe.yaml").is_file()
    assert not list((tmp_path / "run").glob(".*"))


def test_damaged_run_folders(quickstart, tmp_path):
    out = tmp_path / "run"
    train(quickstart("epochs=1"), out, CPU)
    with pytest.raises(WavezooError, match="no run folder"):
        evaluate(tmp_path / "none", device=CPU)
    with pytest.raises(WavezooError, match="no fancy"):
        evaluate(out, "fancy", CPU)
    file = out / "last.safetensors"
    content = file.read_bytes()
    file.write_bytes(content[:-100])
    with pytest.raises(WavezooError, match="damaged or no safetensors file"):
        evaluate(out, device=CPU)
    save_file({"other": torch.zeros(1)}, file)
    with pytest.raises(WavezooError, match="does not fit"):
        evaluate(out, device=CPU)
    file.unlink()
    with pytest.raises(WavezooError, match=r"no last\.safetensors"):
        evaluate(out, device=CPU)


def test_a_recipe_only_requires_plugins(tmp_path, quickstart):
    with pytest.raises(PluginError, match="is required and not loaded"):
        train(quickstart("plugins=[os]"), tmp_path / "run", CPU)


@pytest.mark.slow
def test_quickstart_reaches_what_the_readme_says(tmp_path):
    assert train(load_recipe(find_recipe("quickstart")), tmp_path / "run", CPU).result >= 0.95


def test_two_accumulated_batches_are_one_of_twice_the_size(tmp_path, quickstart, weights):
    for name, overrides in (("one", ["batch_size=16"]), ("two", ["batch_size=8", "optimizer.accumulate=2"])):
        train(quickstart(*overrides, "epochs=1"), tmp_path / name, CPU)
    one, two = (weights(tmp_path / name) for name in ("one", "two"))
    # Adam divides gradients by their size: where they are rounding, so are its steps.
    assert all(torch.allclose(value, two[name], atol=3e-4) for name, value in one.items())


def test_ema_is_what_is_tested_and_saved(tmp_path, quickstart, weights, trained):
    averaged = train(quickstart("ema=0.999"), tmp_path / "run", CPU)
    plain, mean = weights(trained[0]), weights(tmp_path / "run")
    assert trained[1].updates == averaged.updates
    assert not torch.equal(plain["stem.conv.weight"], mean["stem.conv.weight"])
    assert evaluate(tmp_path / "run", device=CPU).numbers == averaged.last
    assert plain.keys() == mean.keys()


def test_training_stops_when_nothing_gets_better(tmp_path, quickstart):
    recipe = quickstart("epochs=50", "optimizer.lr=1e-12", "evaluation.patience=2", "data.validation=0.2")
    summary = train(recipe, tmp_path / "run", CPU)
    assert (summary.epochs, summary.best_epoch, summary.best_by) == (3, 1, "validation")
    assert summary.best == evaluate(tmp_path / "run", "best", CPU).numbers


def test_the_confusion_matrix_counts_each_image_once(trained):
    out, summary = trained
    rows = [line.split(",") for line in (out / "confusion.csv").read_text().splitlines()]
    counts = torch.tensor([[int(cell) for cell in row[1:]] for row in rows[1:]])
    assert counts.sum() == 48
    labels = find_dataset("digits").read(DataSource(limit_samples=48)).test.targets
    assert counts.sum(1).tolist() == [int((labels == digit).sum()) for digit in range(10)]
    assert counts.diagonal().sum() / 48 == pytest.approx(summary.result)
    shares = counts.diagonal() / counts.sum(1).clamp(min=1)
    assert list(summary.details["accuracy_by_class"].values()) == pytest.approx(shares.tolist())


@pytest.mark.parametrize(("preset", "bounded"), [("stepped", True), ("closed_form", False)])
def test_the_courant_margin_is_measured_where_there_is_a_bound(preset, bounded, tmp_path, quickstart, lines):
    train(quickstart(f"model.preset={preset}", "epochs=1"), tmp_path / "run", CPU)
    margin = lines(tmp_path / "run")[0]["courant_margin"]
    assert (0 < margin < 1) if bounded else margin is None


@pytest.mark.parametrize("resolution", [0.8, 1.3, 2.0])
def test_an_enlarged_image_is_said_to_be_as_large_as_it_is(resolution, trained, monkeypatch):
    told, seen = [], []
    model = type(load_run(trained[0]).model)
    monkeypatch.setattr(model, "set_grid_spacing", lambda self, spacing: told.append(spacing))
    forward = model.forward
    monkeypatch.setattr(model, "forward", lambda self, x: seen.append(x.shape[-1]) or forward(self, x))
    evaluate(trained[0], device=CPU, resolution=resolution)
    assert told[-1] == 8 / seen[-1]


def test_without_matplotlib_there_are_no_curves(tmp_path, monkeypatch, quickstart):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    train(quickstart("epochs=1"), tmp_path / "run", CPU)
    assert not (tmp_path / "run" / "curves.png").exists()
    assert (tmp_path / "run" / "summary.json").is_file()


@pytest.mark.slow
def test_a_compiled_model_trains_the_same(tmp_path, quickstart, lines):
    eager, compiled = (train(quickstart("epochs=1", f"compile={on}"), tmp_path / on, CPU) for on in ("false", "true"))
    losses = [lines(tmp_path / on)[0]["loss"] for on in ("false", "true")]
    assert losses[0] == pytest.approx(losses[1], rel=1e-4)
    assert eager.updates == compiled.updates


@pytest.mark.parametrize("name", recipe_names())
def test_every_recipe_can_be_made_small(name):
    recipe = load_recipe(find_recipe(name))
    small = smoke(recipe)
    assert small.epochs == 1
    assert small.data.limit_samples <= 64
    assert with_overrides(small, ["epochs=3"]).epochs == 3
    assert (small.optimizer, small.augmentation, small.data.name) == (
        recipe.optimizer,
        recipe.augmentation,
        recipe.data.name,
    )


@pytest.mark.parametrize("name", ["mnist1d", "quickstart"])
def test_a_small_recipe_runs(name, tmp_path):
    summary = train(smoke(load_recipe(find_recipe(name))), tmp_path / "run", CPU)
    assert summary.epochs == 1
    assert json.loads((tmp_path / "run" / "summary.json").read_text())["format"] == 1
