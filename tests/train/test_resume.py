"""A run that was killed and resumed is, to the bit, the run that was never interrupted."""

import json
import os
import resource
import signal
import subprocess
import sys
import threading
import time
from types import SimpleNamespace

import pytest
import torch
from safetensors.torch import load_file

from wavezoo.config.recipe import dump_recipe, find_recipe, load_recipe, with_overrides
from wavezoo.errors import WavezooError
from wavezoo.runs.folder import RunFolder
from wavezoo.tasks import Classification
from wavezoo.train import InterruptedTraining, resume, smoke, start, train

CPU = "cpu"
# All that draws random numbers: order, augmentation of each kind, mixup, stochastic depth and dropout.
RANDOM = [
    "epochs=3",
    "data.limit_samples=32",
    "batch_size=8",
    "model.drop_path_rate=0.3",
    "model.drop_rate=0.2",
    "augmentation.crop_padding=1",
    "augmentation.horizontal_flip=0.5",
    "augmentation.rand_augment=rand-m5-mstd0.5",
    "augmentation.random_erasing=0.5",
    "augmentation.mixup=0.4",
    "augmentation.cutmix=1.0",
    "ema=0.9",
    "data.validation=0.25",
]
TIMES = {"samples_per_second", "seconds"}


def recipe(*overrides):
    return with_overrides(smoke(load_recipe(find_recipe("quickstart"))), [*RANDOM, *overrides])


def result(run):
    """Everything of a run that must not depend on interruptions."""
    metrics = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    summary = json.loads((run / "summary.json").read_text())
    weights = {which: load_file(run / f"{which}.safetensors") for which in ("last", "best")}
    return (
        [{name: value for name, value in each.items() if name not in TIMES} for each in metrics],
        {name: value for name, value in summary.items() if name not in TIMES},
        {f"{which}.{name}": value for which, each in weights.items() for name, value in each.items()},
    )


def assert_same(run, other):
    (metrics, summary, weights), (metrics_2, summary_2, weights_2) = result(run), result(other)
    assert metrics == metrics_2
    assert summary == summary_2
    assert weights.keys() == weights_2.keys()
    assert all(torch.equal(value, weights_2[name]) for name, value in weights.items())


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    out = tmp_path_factory.mktemp("whole") / "run"
    train(recipe(), out, CPU)
    return out


def die(*args, **kwargs):
    os.kill(os.getpid(), signal.SIGKILL)


def killed_at(moment, out, monkeypatch, *overrides):
    """Train in a process of its own that kills itself at a moment: a function, its call, before or after."""
    target, name, call, before = moment
    child = os.fork()
    if child == 0:
        calls = iter(range(1, 1000))
        real = getattr(target, name)

        def patched(*args, **kwargs):
            last = next(calls) == call
            if last and before:
                die()
            answer = real(*args, **kwargs)
            if last:
                die()
            return answer

        monkeypatch.setattr(target, name, patched)
        train(recipe(*overrides), out, CPU)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL


def signalled_at(batch, monkeypatch, number=signal.SIGTERM):
    """Send a signal to this process during a batch; return what grows with every batch."""
    real, calls = Classification.loss, []

    def signalled(self, *arguments):
        calls.append(1)
        if len(calls) == batch:
            os.kill(os.getpid(), number)
        return real(self, *arguments)

    monkeypatch.setattr(Classification, "loss", signalled)
    return calls


MOMENTS = {
    "before the first update": (Classification, "loss", 1, True),
    "in the middle of an epoch": (Classification, "loss", 6, True),
    "before a checkpoint": (torch, "save", 2, True),
    "with a checkpoint half in place": (torch, "save", 2, False),
    "before a file takes its place": (os, "fsync", 9, True),
    "after the weights, before the metrics": (RunFolder, "write_metrics", 2, True),
    "before the summary": (start, "finish", 1, True),
}
QUICK = "in the middle of an epoch"


@pytest.mark.parametrize(
    "moment", [name if name == QUICK else pytest.param(name, marks=pytest.mark.slow) for name in MOMENTS]
)
def test_a_killed_run_ends_as_if_it_had_not_been(moment, whole, tmp_path, monkeypatch):
    out = tmp_path / "run"
    killed_at(MOMENTS[moment], out, monkeypatch)
    resume(out, device=CPU)
    assert_same(out, whole)
    assert not list(out.glob(".*"))


def test_what_a_killed_run_logged_is_not_there_twice(tmp_path, monkeypatch):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    out = tmp_path / "run"
    killed_at((torch, "save", 2, True), out, monkeypatch, "logger=tensorboard")
    # TensorBoard names its files by the second, within which no new process would have come as far.
    time.sleep(1)
    resume(out, device=CPU)
    losses = EventAccumulator(str(out / "tensorboard")).Reload().Scalars("loss")
    metrics = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    assert [each.step for each in losses] == [each["updates"] for each in metrics] == [3, 6, 9]
    assert [each.value for each in losses] == pytest.approx([each["loss"] for each in metrics])


@pytest.mark.slow
def test_epochs_within_a_second_are_all_logged(tmp_path, monkeypatch):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    from tensorboard.summary.writer import event_file_writer

    monkeypatch.setattr(event_file_writer, "time", SimpleNamespace(time=lambda: 1e9))
    train(recipe("logger=tensorboard", "epochs=12", "data.limit_samples=16"), tmp_path / "run", CPU)
    losses = EventAccumulator(str(tmp_path / "run" / "tensorboard")).Reload().Scalars("loss")
    assert len(losses) == 12


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_finishes_the_step_and_saves(number, code, whole, tmp_path, monkeypatch):
    out = tmp_path / "run"
    calls = signalled_at(5, monkeypatch, number)
    with pytest.raises(InterruptedTraining, match=f"after 5 updates.*--resume {out}") as caught:
        train(recipe(), out, CPU)
    assert caught.value.exit_code == code
    resume(out, device=CPU)
    assert len(calls) == 3 * 3
    assert_same(out, whole)


def test_saving_by_the_clock_and_workers_change_no_result(whole, tmp_path):
    train(recipe("save_every_minutes=1e-9", "data.workers=2"), tmp_path / "run", CPU)
    assert_same(tmp_path / "run", whole)


def test_accumulated_batches_are_resumed_between_updates(tmp_path, monkeypatch):
    accumulating = recipe("optimizer.accumulate=2", "batch_size=4")
    train(accumulating, tmp_path / "whole", CPU)
    signalled_at(3, monkeypatch)
    with pytest.raises(InterruptedTraining, match="after 2 updates"):
        train(accumulating, tmp_path / "run", CPU)
    resume(tmp_path / "run", device=CPU)
    assert_same(tmp_path / "run", tmp_path / "whole")


def interrupted(out, monkeypatch, at=8):
    """Leave a run that was stopped in its second epoch, with two checkpoints."""
    with monkeypatch.context() as patch:
        signalled_at(at, patch)
        with pytest.raises(InterruptedTraining):
            train(recipe(), out, CPU)
    files = sorted(out.glob("checkpoint-*.pt"))
    assert len(files) == 2
    return files


@pytest.mark.parametrize(
    "damage", ["a bit flipped", *(pytest.param(each, marks=pytest.mark.slow) for each in ("cut short", "empty"))]
)
def test_a_damaged_checkpoint_falls_back_to_the_one_before(damage, whole, tmp_path, monkeypatch, capsys):
    from rich.console import Console

    out = tmp_path / "run"
    newest = interrupted(out, monkeypatch)[-1]
    content = bytearray(newest.read_bytes())
    if damage == "a bit flipped":
        content[len(content) // 2] ^= 1
    newest.write_bytes({"cut short": content[:-1000], "empty": b""}.get(damage, content))
    resume(out, device=CPU, console=Console(soft_wrap=True))
    assert f"{newest} is damaged or cut short" in capsys.readouterr().out
    assert_same(out, whole)


def test_no_checkpoint_can_be_read(tmp_path, monkeypatch):
    for file in interrupted(tmp_path / "run", monkeypatch):
        file.write_bytes(b"nothing")
    with pytest.raises(WavezooError, match="No older checkpoint is left"):
        resume(tmp_path / "run", device=CPU)


def test_a_checkpoint_runs_no_code(tmp_path, monkeypatch):
    class Payload:
        def __reduce__(self):
            return print, ("code ran",)

    for file in interrupted(tmp_path / "run", monkeypatch):
        torch.save({"recipe": Payload()}, file)
    with pytest.raises(WavezooError, match="No older checkpoint is left"):
        resume(tmp_path / "run", device=CPU)


def test_a_changed_recipe_is_refused_with_the_difference(tmp_path, monkeypatch):
    out = tmp_path / "run"
    interrupted(out, monkeypatch)
    before = {file.name: file.read_bytes() for file in out.iterdir()}
    (out / "recipe.yaml").write_text(dump_recipe(recipe("optimizer.lr=0.5", "epochs=9")))
    with pytest.raises(WavezooError) as caught:
        resume(out, device=CPU)
    assert "optimizer.lr: 0.003 when it began, 0.5 now" in str(caught.value)
    assert "epochs: 3 when it began, 9 now" in str(caught.value)
    with pytest.raises(WavezooError, match=r"seed: 0 when it began, 1 now"):
        resume(out, recipe("seed=1"), device=CPU)
    (out / "recipe.yaml").write_bytes(before["recipe.yaml"])
    assert {file.name: file.read_bytes() for file in out.iterdir()} == before
    resume(out, overrides=["data.workers=1"], device=CPU)


def test_a_finished_run_is_left_alone(whole):
    before = {file.name: file.stat().st_mtime_ns for file in whole.iterdir()}
    assert resume(whole, device=CPU) == RunFolder(whole).read_summary()
    assert {file.name: file.stat().st_mtime_ns for file in whole.iterdir()} == before


@pytest.mark.slow
@pytest.mark.parametrize("overrides", [["data.workers=1", "optimizer.lr=1e30", "optimizer.clip_grad=null"]])
def test_an_error_with_workers_ends_the_process(overrides, tmp_path):
    arguments = [part for each in overrides for part in ("--set", each)]
    command = [sys.executable, "-m", "wavezoo", "train", "quickstart", "--smoke", "--epochs", "99", *arguments]
    process = subprocess.run([*command, "--out", str(tmp_path / "run")], capture_output=True, text=True, timeout=120)
    assert process.returncode == 2
    assert "Training stopped at step" in process.stderr
    assert "Traceback" not in process.stderr


def test_no_run_to_resume(tmp_path):
    with pytest.raises(WavezooError, match="no run folder"):
        resume(tmp_path, device=CPU)


def test_a_full_disk_keeps_what_was_good(whole, tmp_path, monkeypatch):
    out = tmp_path / "run"
    interrupted(out, monkeypatch)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, limits[1]))
    try:
        with pytest.raises(WavezooError, match=r"cannot be written.*what was saved before is still there"):
            resume(out, device=CPU)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert not list(out.glob(".*"))
    resume(out, device=CPU)
    assert_same(out, whole)


def test_training_in_a_thread_handles_no_signals(tmp_path):
    thread = threading.Thread(target=train, args=(recipe("epochs=1"), tmp_path / "run", CPU))
    thread.start()
    thread.join()
    assert (tmp_path / "run" / "summary.json").is_file()


@pytest.mark.parametrize(
    ("number", "code", "name"),
    [(signal.SIGINT, 130, "Ctrl-C"), pytest.param(signal.SIGTERM, 143, "SIGTERM", marks=pytest.mark.slow)],
)
def test_a_signal_to_all_processes_of_a_command(number, code, name, tmp_path):
    out = tmp_path / "run"
    command = [
        sys.executable,
        "-m",
        "wavezoo",
        "train",
        "quickstart",
        "--smoke",
        "--epochs",
        "10000",
        "--out",
        str(out),
    ]
    command += ["--set", "data.workers=1"]
    pipe = subprocess.PIPE
    process = subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True, start_new_session=True)
    for line in process.stdout:
        if line.startswith("epoch 1/"):
            break
    os.killpg(process.pid, number)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == code
    assert f"stopped by {name} " in errors
    assert f"wavezoo train --resume {out}" in errors
    # Torch's loader complains while it is taken down, of workers that had the signal too.
    assert errors.startswith("wavezoo: stopped")
