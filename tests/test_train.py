import json

import pytest
import torch
from safetensors.torch import load_file, save_file

from wavezoo.data import find_dataset
from wavezoo.errors import PluginError, WavezooError
from wavezoo.recipe import find_recipe, load_recipe
from wavezoo.train import evaluate, train
from wavezoo.train.prepare import build_model

TINY = [
    "model.options.dims=[8, 8, 8, 8]",
    "model.options.depths=[1, 1, 1, 1]",
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
    assert evaluate(out, device=CPU) == summary["accuracy"]
    assert evaluate(out, "best", CPU) == summary["best_accuracy"]


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
        ["precision=bfloat16"],
        ["augmentation.mixup=0.2", "augmentation.cutmix=1.0"],
        ["augmentation.rand_augment=rand-m7-mstd0.5-inc1", "augmentation.random_erasing=0.5"],
        ["augmentation.horizontal_flip=0.5", "augmentation.crop_padding=2"],
        ["schedule.name=constant", "schedule.warmup_epochs=1"],
        ["schedule.name=constant"],
        ["optimizer.name=lion", "optimizer.clip_grad=null"],
        ["data.workers=1"],
        ["model.name=wavepde_iso_tiny_paper"],
        ["model.schemes.integrator=symplectic_euler", "model.schemes.damping=none"],
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
        (["model.schemes.integrator=verlet"], "nearest first: velocity_verlet"),
        (["model.options.steps=0"], "steps is 0"),
        (["model.options.stepz=4"], "nearest first: steps"),
        (["model.options.depths=3"], "depths is 3"),
        (["model.options.num_classes=3"], "follows from the data set"),
        (["model.options.damping=none", "model.schemes.damping=none"], "Leave it out of the options"),
        (["model.options.patch_size=16"], "too small"),
        (["optimizer.name=adamww"], "nearest first: adamw"),
        (["batch_size=64"], "more than the 48 training images"),
        (["data.name=digitz"], "nearest first: digits"),
        (["data.name=fashion_mnist", "data.path=/nowhere"], "not a folder"),
        (["augmentation.rand_augment=banana"], "rand-m9"),
        (["precision=float16"], "needs a GPU"),
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
            ["model.options.preset=paper", "model.options.dt=1.0e+6"],
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
        train(quickstart(*overrides, "optimizer.lr=1e12", "model.options.preset=paper"), tmp_path / "run", CPU)
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
    assert train(load_recipe(find_recipe("quickstart")), tmp_path / "run", CPU)["accuracy"] >= 0.96


def test_a_recipe_names_the_mixer():
    recipe = quickstart("model.mixer=attention")
    model = build_model(recipe, find_dataset(recipe.data.name))
    assert type(model.stages[0].blocks[0].mixer.mixer).__name__ == "AttentionMixer"
    twice = quickstart("model.mixer=attention", "model.options.mixer=none")
    with pytest.raises(WavezooError, match="mixer is given in"):
        build_model(twice, find_dataset(twice.data.name))
