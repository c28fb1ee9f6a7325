"""Budgets in epochs, updates and samples are kept to the update, however they are divided, resumed or accumulated."""

import json
import os
import signal

import pytest

from wavezoo.tasks import Classification
from wavezoo.train import InterruptedTraining, resume, train
from wavezoo.train.budget import Budget


@pytest.mark.parametrize(
    ("budget", "updates", "epochs"),
    [
        (["epochs=2"], 6, 2),
        (["epochs=null", "steps=4"], 4, 4 / 3),
        (["epochs=null", "steps=3"], 3, 1),
        (["epochs=null", "samples=64"], 4, 4 / 3),
        (["epochs=null", "samples=65"], 5, 5 / 3),
    ],
)
def test_a_training_is_as_long_as_its_budget(budget, updates, epochs, tmp_path, quickstart, lines):
    summary = train(quickstart(*budget), tmp_path / "run", "cpu")
    assert (summary.updates, summary.epochs, summary.samples) == (updates, pytest.approx(epochs), 16 * updates)
    assert lines(tmp_path / "run")[-1]["updates"] == updates


def test_evaluations_come_every_so_many_updates(tmp_path, quickstart, lines):
    every = ["epochs=null", "steps=7", "evaluation.every_steps=2"]
    train(quickstart(*every), tmp_path / "run", "cpu")
    assert [each["updates"] for each in lines(tmp_path / "run")] == [2, 4, 6, 7]
    assert [each["epoch"] for each in lines(tmp_path / "run")] == pytest.approx([2 / 3, 4 / 3, 2, 7 / 3])
    # To measure more often changes no training.
    train(quickstart("epochs=null", "steps=7"), tmp_path / "other", "cpu")
    last = [json.loads((tmp_path / name / "summary.json").read_text())["last"] for name in ("run", "other")]
    assert last[0] == last[1]


def test_a_budget_in_updates_is_resumed_to_the_bit(tmp_path, quickstart, lines, weights, monkeypatch):
    recipe = quickstart("epochs=null", "steps=5", "evaluation.every_steps=2", "batch_size=8", "optimizer.accumulate=2")
    train(recipe, tmp_path / "whole", "cpu")
    real, calls = Classification.loss, []

    def signalled(self, *arguments):
        calls.append(1)
        if len(calls) == 5:
            os.kill(os.getpid(), signal.SIGTERM)
        return real(self, *arguments)

    with monkeypatch.context() as patch:
        patch.setattr(Classification, "loss", signalled)
        with pytest.raises(InterruptedTraining, match="after 3 updates of 5"):
            train(recipe, tmp_path / "run", "cpu")
    resume(tmp_path / "run", device="cpu")
    assert all((value == weights(tmp_path / "whole")[name]).all() for name, value in weights(tmp_path / "run").items())
    losses = [[(each["updates"], each["loss"]) for each in lines(tmp_path / name)] for name in ("whole", "run")]
    assert losses[0] == losses[1]


@pytest.mark.parametrize("accumulate", [1, 2, 3, 7])
def test_updates_and_batches_add_up(accumulate, quickstart):
    recipe = quickstart(f"optimizer.accumulate={accumulate}", "epochs=3")
    budget = Budget.of(recipe, batches=7, processes=2)
    assert budget.updates == 3 * budget.updates_per_epoch == budget.done(3, 0) == budget.done(2, 7)
    assert budget.epochs(budget.updates) == 3
    assert budget.samples(3, 0) == 3 * 7 * 2 * 16
