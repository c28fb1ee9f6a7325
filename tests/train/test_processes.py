"""Two processes train what one does with twice the batch."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest
from safetensors.torch import load_file

from wavezoo.config.recipe import find_recipe, load_recipe, with_overrides
from wavezoo.train import smoke, train

# 30 test images in batches of 8: the last of both processes are filled up, and must not be counted twice.
SETTINGS = ["epochs=2", "data.limit_samples=94", "augmentation.crop_padding=1", "optimizer.lr=1e-3"]


def start(*arguments):
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "-m", "wavezoo", "train"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "MASTER_PORT": "29511"}
    return subprocess.Popen(
        [*command, *arguments, "--device", "cpu"],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def settings(*overrides):
    return [part for each in (*SETTINGS, *overrides) for part in ("--set", each)]


def metrics(run):
    return [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]


def test_two_processes_are_one_with_twice_the_batch(tmp_path):
    process = start("quickstart", "--smoke", *settings("batch_size=8"), "--out", str(tmp_path / "two"))
    output, errors = process.communicate(timeout=120)
    assert process.returncode == 0, errors
    # One speaks for both.
    assert len([line for line in output.splitlines() if line.startswith("{")]) == 1
    one = train(
        with_overrides(smoke(load_recipe(find_recipe("quickstart"))), [*SETTINGS, "batch_size=16"]),
        tmp_path / "one",
        "cpu",
    )
    two = json.loads((tmp_path / "two" / "summary.json").read_text())
    assert two["processes"] == 2
    for first, second in zip(metrics(tmp_path / "one"), metrics(tmp_path / "two"), strict=True):
        # The mean over 5 updates of losses that agree to rounding, which grows with the updates.
        assert second["loss"] == pytest.approx(first["loss"], rel=1e-5)
        assert second["test_accuracy"] == first["test_accuracy"]
    assert (tmp_path / "one" / "confusion.csv").read_text() == (tmp_path / "two" / "confusion.csv").read_text()
    assert one["accuracy"] == two["accuracy"]
    weights, others = (load_file(tmp_path / run / "last.safetensors") for run in ("one", "two"))
    for name, value in weights.items():
        assert (value - others[name]).abs().max() <= 1e-3 * max(1e-2, float(value.abs().max())), name


@pytest.mark.slow
def test_a_signal_to_one_process_stops_both_saved(tmp_path):
    out = tmp_path / "run"
    process = start("quickstart", "--smoke", *settings("batch_size=8", "epochs=2000"), "--out", str(out))
    while not (out / "metrics.jsonl").is_file():
        time.sleep(0.1)
    process.send_signal(signal.SIGTERM)
    _, errors = process.communicate(timeout=120)
    assert process.returncode != 0
    assert "Everything is saved" in errors
    before = max(each["epoch"] for each in metrics(out))
    process = start("--resume", str(out))
    while max(each["epoch"] for each in metrics(out)) <= before:
        time.sleep(0.1)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=120)
    assert [each["epoch"] for each in metrics(out)] == list(range(1, len(metrics(out)) + 1))
