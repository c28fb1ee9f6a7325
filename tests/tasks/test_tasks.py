"""Every task: what it measures is what its name says, and a run of it leaves behind what it promises."""

import json

import numpy as np
import pytest
import torch

import wavezoo
from wavezoo.config.recipe import Recipe
from wavezoo.data import DatasetEntry, ImageFacts, SequenceFacts, Split, Splits
from wavezoo.plugins.registry import registry
from wavezoo.tasks import Classification, Regression, Segmentation, relative_l2
from wavezoo.tasks.base import Examples, is_better, shown
from wavezoo.train import evaluate, resume, train

CLASSES = ("background", "square", "cross")


def image_facts(target, **more):
    return ImageFacts(CLASSES if target != "field" else (), 1, 8, (0.5,), (0.5,), target=target, **more)


FACTS = {
    "class": image_facts("class"),
    "class_map": image_facts("class_map"),
    "field": image_facts("field", target_channels=2),
    "distance": image_facts("distance"),
}


def some_targets(kind):
    """Targets of five samples."""
    if kind == "field":
        return torch.randn(5, 2, 8, 8)
    if kind == "distance":
        # In every sample, walls, cells that no path leads to and cells at some distance.
        return torch.tensor([0.0, 3.0, torch.inf, torch.nan])[torch.randint(0, 4, (5, 8, 8))]
    return torch.randint(0, 3, (5,) if kind == "class" else (5, 8, 8))


def splits(source):
    """Images in which bright pixels are one class and dark ones another."""
    images = np.random.default_rng(0).integers(0, 256, (48, 8, 8, 1), dtype=np.uint8)
    maps = (images[..., 0] > 100).astype(np.uint8) + (images[..., 0] > 200)
    return Splits(Split(images[:32], maps[:32]), Split(images[32:], maps[32:]))


def fields(source):
    """Lines, to be integrated."""
    lines = np.random.default_rng(0).standard_normal((48, 16, 1)).astype(np.float32)
    sums = np.cumsum(lines, 1).transpose(0, 2, 1)
    return Splits(Split(lines[:32], sums[:32]), Split(lines[32:], sums[32:]))


class Benchmark:
    """A plugin with a data set for each kind of target."""

    @wavezoo.hookimpl
    def wavezoo_datasets(self):
        line = SequenceFacts((), 1, None, 16, target="field", target_channels=1)
        return {
            "bright": DatasetEntry("bright", "Bright pixels.", FACTS["class_map"], splits, task="segmentation"),
            "sums": DatasetEntry("sums", "Running sums.", line, fields, task="regression"),
        }


@pytest.fixture
def benchmark(scratch_registry):
    wavezoo.register(Benchmark())


def recipe(data, model, **more):
    content = {"name": "r", "model": model, "data": {"name": data}, "batch_size": 16, "steps": 6}
    return Recipe.model_validate({**content, "optimizer": {"lr": 1e-2}, **more})


RUNS = {
    "segmentation": recipe("bright", {"name": "wavepde_dense_tiny"}),
    "regression": recipe("sums", {"name": "wavepde_seq_tiny", "dim": 8, "depth": 1}),
}


# That of texts answers with probabilities, `tests/tasks/test_language.py`.
@pytest.mark.parametrize("name", sorted(set(registry.tasks()) - {"language"}))
def test_every_task_says_what_decides(name):
    task_class = registry.tasks()[name]
    task = task_class(FACTS[task_class.target])
    metric = task.metric()
    targets = some_targets(task.target)
    metric.update(targets, targets)
    perfect = task.numbers(metric)[task.decides]
    metric.update(targets.roll(1, 0) + (0.5 if task.target == "field" else 0), targets)
    worse = task.numbers(metric)[task.decides]
    assert perfect == pytest.approx(1.0 if task.higher_is_better else 0.0)
    assert is_better(task, perfect, worse)
    assert not is_better(task, worse, perfect)
    assert not is_better(task, float("nan"), worse)
    assert is_better(task, worse, None)


@pytest.mark.parametrize("name", sorted(RUNS))
def test_a_run_knows_no_classes(name, benchmark, tmp_path):
    out = tmp_path / "run"
    summary = train(RUNS[name], out, "cpu")
    assert summary.task == name
    assert summary.updates == 6
    assert summary.decides in summary.last
    assert (out / "predictions.png").stat().st_size > 1000
    assert (out / "curves.png").is_file()
    assert evaluate(out, device="cpu").numbers == summary.last
    assert evaluate(out, "best", device="cpu").numbers == summary.best
    assert resume(out) == summary
    metrics = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    results = [each["metrics"][summary.decides] for each in metrics]
    assert summary.best_result == (max if summary.higher_is_better else min)(results)


def test_a_segmentation_learns(benchmark, tmp_path):
    learning = recipe("bright", {"name": "wavepde_dense_tiny"}, steps=60, evaluation={"every_steps": 30})
    summary = train(learning, tmp_path / "run", "cpu")
    assert summary.last["mean_iou"] > 0.6
    assert set(summary.details["iou_by_class"]) == set(CLASSES)


def test_mean_iou_counts_the_foreground_that_occurs():
    task = Segmentation(FACTS["class_map"])
    metric = task.metric()
    targets = torch.tensor([[0, 0, 1, 1]])
    metric.update(torch.tensor([[0, 1, 1, 1]]), targets)
    assert task.numbers(metric) == pytest.approx({"mean_iou": 2 / 3, "accuracy": 3 / 4})
    everywhere = Segmentation(FACTS["class_map"], background=None)
    assert everywhere.numbers(metric)["mean_iou"] == pytest.approx((1 / 2 + 2 / 3) / 2)


def test_relative_l2_is_the_mean_over_samples():
    targets = torch.tensor([[[3.0, 4.0]], [[0.0, 1.0]]])
    answers = torch.tensor([[[3.0, 4.0]], [[0.0, 3.0]]])
    assert relative_l2(answers, targets).tolist() == [0, 2]
    task = Regression(image_facts("field", target_channels=1))
    metric = task.metric()
    # In two parts as in one.
    metric.update(answers[:1], targets[:1])
    metric.update(answers[1:], targets[1:])
    assert task.numbers(metric)["relative_l2"] == 1.0
    assert task.loss(lambda x: answers, (answers, targets)).item() == 1.0


def test_label_smoothing_is_left_to_mixup():
    logits, labels = torch.randn(4, 3), torch.tensor([0, 1, 2, 0])
    plain, smoothed = (Classification(FACTS["class"], label_smoothing=value) for value in (0.0, 0.1))
    losses = [task.loss(lambda x: logits, (logits, labels)).item() for task in (plain, smoothed)]
    smooth = torch.nn.functional.cross_entropy(logits, labels, label_smoothing=0.1).item()
    assert losses == pytest.approx([torch.nn.functional.cross_entropy(logits, labels).item(), smooth])
    assert Classification(FACTS["class"], mixup=1.0, label_smoothing=0.1).label_smoothing == 0


@pytest.mark.parametrize("task", sorted(registry.tasks()))
def test_a_task_refuses_other_targets(task):
    task_class = registry.tasks()[task]
    for target, facts in FACTS.items():
        if target != task_class.target:
            with pytest.raises(wavezoo.WavezooError, match="Choose another task"):
                task_class(facts)


def test_numbers_are_shown_as_people_read_them():
    assert shown(Classification, "accuracy", 0.5) == "50.00%"
    assert shown(Regression, "relative_l2", 0.123456) == "0.1235"
    assert shown(None, "accuracy", 0.5) == "0.5"


@pytest.mark.parametrize("channels", [1, 2, 3])
def test_every_kind_of_sample_is_drawn(channels, tmp_path):
    image, maps = torch.rand(2, channels, 8, 8), torch.randint(0, 3, (2, 2, 8, 8))
    samples = {
        "maps": (Segmentation(FACTS["class_map"]), Examples(image, *maps)),
        "fields": (Regression(FACTS["field"]), Examples(image, *torch.rand(2, 2, 2, 8, 8))),
        "lines": (Regression(FACTS["field"]), Examples(torch.rand(2, 9, 1), *torch.rand(2, 2, channels, 9))),
    }
    for name, (task, each) in samples.items():
        (tmp_path / name).mkdir()
        assert task.write(tmp_path / name, _counted(), each) == []
    assert len({(tmp_path / name / "predictions.png").read_bytes() for name in samples}) == 3


def _counted():
    metric = Segmentation(FACTS["class_map"]).metric()
    metric.update(torch.zeros(1, 4, dtype=torch.long), torch.zeros(1, 4, dtype=torch.long))
    return metric
