"""The task counts free cells alone, by how far they are; and a model is tested on mazes larger than in training."""

import csv

import pytest
import torch

from wavezoo.config.recipe import Recipe
from wavezoo.data import ImageFacts
from wavezoo.errors import WavezooError
from wavezoo.tasks import Reach
from wavezoo.train import evaluate, train

FACTS = ImageFacts((), 3, 8, (0.0,) * 3, (1.0,) * 3, target="distance")
WALL, APART = torch.nan, torch.inf


def test_walls_count_neither_in_loss_nor_in_numbers():
    task = Reach(FACTS)
    lengths = torch.tensor([[[0.0, 1.0, WALL, APART]]])
    logits = torch.tensor([[[[2.0, -1.0, 5.0, -3.0]]]])
    others = torch.tensor([[[[2.0, -1.0, -9.0, -3.0]]]])
    losses = [task.loss(lambda x, given=given: given, (given, lengths)).item() for given in (logits, others)]
    expected = torch.nn.functional.softplus(torch.tensor([-2.0, 1.0, -3.0])).mean().item()
    assert losses == pytest.approx([expected, expected])
    for given in (logits, others):
        metric = task.metric()
        metric.update(task.answer(given), lengths)
        assert task.numbers(metric) == pytest.approx({"accuracy": 2 / 3, "reached": 1 / 2, "apart": 1.0})


def test_accuracy_is_told_by_path_length():
    task = Reach(FACTS)
    metric = task.metric()
    lengths = torch.arange(40.0).view(1, 5, 8)
    # In two parts as in one.
    for part in lengths.split(1, 1):
        metric.update(torch.where(part < 12, 0.0, torch.inf), part)
    expected = {"0-8": 1.0, "9-16": 3 / 8, "17-32": 0.0, "33-64": 0.0}
    assert task.details(metric) == {"accuracy_by_path_length": pytest.approx(expected)}


def test_a_run_is_tested_on_larger_mazes(tmp_path):
    content = {
        "name": "r",
        "model": {"name": "wavepde_dense_tiny", "depth": 1, "dim": 8},
        "data": {"name": "reach", "size": 9, "counts": [32, 4, 8]},
        "batch_size": 8,
        "steps": 3,
    }
    run = tmp_path / "run"
    summary = train(Recipe.model_validate(content), run, "cpu")
    rows = list(csv.DictReader((run / "path_lengths.csv").read_text().splitlines()))
    right, cells = (sum(int(row[name]) for row in rows) for name in ("told right", "cells"))
    assert summary.last["accuracy"] == pytest.approx(right / cells)
    assert rows[-1]["path length"] == "no path"
    assert (run / "predictions.png").is_file()
    assert evaluate(run, device="cpu", overrides=["data.size=9"]).numbers == summary.last
    larger = evaluate(run, device="cpu", overrides=["data.size=21"])
    assert len(larger.details["accuracy_by_path_length"]) > len(summary.details["accuracy_by_path_length"])
    with pytest.raises(WavezooError, match="Set keys below data"):
        evaluate(run, device="cpu", overrides=["model.depth=2"])
