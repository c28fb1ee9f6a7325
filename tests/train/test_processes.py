"""Processes started the way the documents say train what one does with a larger batch."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest
from safetensors.torch import load_file

from wavezoo.config.recipe import find_recipe, load_recipe, with_overrides
from wavezoo.errors import WavezooError
from wavezoo.train import smoke, train

# 30 test images in batches of 8: the last of both processes are filled up, and must not be counted twice.
SETTINGS = ["epochs=2", "data.limit_samples=94", "augmentation.crop_padding=1", "optimizer.lr=1e-3"]


def start(*arguments):
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "-m", "wavezoo", "train"]
    # No device is named; a machine with GPUs is to be one without.
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "MASTER_PORT": "29511", "CUDA_VISIBLE_DEVICES": ""}
    return subprocess.Popen(
        [*command, *arguments], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def settings(*overrides):
    return [part for each in (*SETTINGS, *overrides) for part in ("--set", each)]


def test_two_processes_are_one_with_twice_the_batch(tmp_path, lines):
    process = start("quickstart", "--smoke", *settings("batch_size=8"), "--out", str(tmp_path / "two"))
    output, errors = process.communicate(timeout=240)
    assert process.returncode == 0, errors
    # One speaks for both, and torch has nothing to complain of.
    assert len([line for line in output.splitlines() if line.startswith("{")]) == 1
    assert "strides" not in errors
    recipe = with_overrides(smoke(load_recipe(find_recipe("quickstart"))), [*SETTINGS, "batch_size=16"])
    one = train(recipe, tmp_path / "one", "cpu")
    two = json.loads((tmp_path / "two" / "summary.json").read_text())
    assert two["processes"] == 2
    assert (two["updates"], two["samples"]) == (one.updates, one.samples)
    for first, second in zip(lines(tmp_path / "one"), lines(tmp_path / "two"), strict=True):
        # The mean over 5 updates of losses that agree to rounding, which grows with the updates.
        assert second["loss"] == pytest.approx(first["loss"], rel=1e-5)
        assert second["metrics"] == first["metrics"]
    assert (tmp_path / "one" / "confusion.csv").read_text() == (tmp_path / "two" / "confusion.csv").read_text()
    assert one.last == two["last"]
    weights, others = (load_file(tmp_path / run / "last.safetensors") for run in ("one", "two"))
    for name, value in weights.items():
        assert (value - others[name]).abs().max() <= 1e-3 * max(1e-2, float(value.abs().max())), name


def test_processes_that_do_not_join_are_refused(tmp_path, monkeypatch, quickstart):
    # As after a launcher that says nothing of where to meet.
    monkeypatch.setenv("RANK", "0")
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.delenv("MASTER_ADDR", raising=False)
    with pytest.raises(WavezooError, match="2 processes cannot work together here"):
        train(quickstart(), tmp_path / "run", "cpu")
    assert not list(tmp_path.iterdir())
    # Nothing of the attempt stays in the environment.
    assert "LOCAL_WORLD_SIZE" not in os.environ


@pytest.mark.slow
def test_a_signal_to_one_process_stops_both_saved(tmp_path, lines):
    out = tmp_path / "run"
    process = start("quickstart", "--smoke", *settings("batch_size=8", "epochs=2000"), "--out", str(out))
    while not (out / "metrics.jsonl").is_file():
        time.sleep(0.1)
    process.send_signal(signal.SIGTERM)
    _, errors = process.communicate(timeout=120)
    assert process.returncode != 0
    assert "Everything is saved" in errors
    before = max(each["epoch"] for each in lines(out))
    process = start("--resume", str(out))
    while max(each["epoch"] for each in lines(out)) <= before:
        time.sleep(0.1)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=120)
    assert [each["epoch"] for each in lines(out)] == list(range(1, len(lines(out)) + 1))
