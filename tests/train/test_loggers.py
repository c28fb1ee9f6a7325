"""What is measured is logged, each update once, however the run was interrupted."""

import json

import pytest

from wavezoo.errors import WavezooError
from wavezoo.train import train


def test_tensorboard_holds_losses_of_updates_and_numbers_of_evaluations(tmp_path, quickstart, lines):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    out = tmp_path / "run"
    train(quickstart("logger=tensorboard", "epochs=8"), out, "cpu")
    events = EventAccumulator(str(out / "tensorboard")).Reload()
    metrics = lines(out)
    assert [each.step for each in events.Scalars("train/loss")] == [0, 20]
    assert [each.step for each in events.Scalars("loss")] == [each["updates"] for each in metrics]
    assert [each.value for each in events.Scalars("loss")] == pytest.approx([each["loss"] for each in metrics])
    found = [each.value for each in events.Scalars("test/accuracy")]
    assert found == pytest.approx([each["metrics"]["accuracy"] for each in metrics])


def test_a_logger_that_accelerate_knows_is_fed(tmp_path, quickstart, monkeypatch, lines):
    from wavezoo.train import loggers

    seen = []

    class Tracker:
        requires_logging_directory = False

        def __init__(self, name):
            seen.append(name)

        def store_init_configuration(self, values):
            seen.append(values["optimizer.lr"])

        def log(self, values, step):
            seen.append((step, values))

        def finish(self):
            seen.append("finished")

    monkeypatch.setitem(loggers.LOGGER_TYPE_TO_CLASS, "wandb", Tracker)
    monkeypatch.setattr(loggers, "get_available_trackers", lambda: ["wandb"])
    train(quickstart("logger=wandb", "epochs=1"), tmp_path / "run", "cpu")
    name, rate, (step, first), (updates, last), end = seen
    assert (name, rate, step, end) == ("quickstart", "0.003", 0, "finished")
    assert set(first) == {"train/loss"}
    assert (updates, last["loss"]) == (3, lines(tmp_path / "run")[0]["loss"])
    assert json.loads((tmp_path / "run" / "summary.json").read_text())["last"]["accuracy"] == last["test/accuracy"]


def test_what_cannot_be_logged_to_is_refused(tmp_path, quickstart):
    for name, message in {"wandbb": "nearest first: wandb", "comet_ml": "needs its package"}.items():
        with pytest.raises(WavezooError, match=message):
            train(quickstart(f"logger={name}"), tmp_path / "run", "cpu")
    assert not list(tmp_path.iterdir())
