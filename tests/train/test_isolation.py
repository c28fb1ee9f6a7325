"""A training takes its settings from its recipe, and leaves the caller's as they were."""

import os
import random
import signal

import numpy as np
import pytest
import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState
from torch import nn

from wavezoo.errors import WavezooError
from wavezoo.train import InterruptedTraining, evaluate, resume, start, train
from wavezoo.train.accelerator import repeated_blocks
from wavezoo.wave import WaveOperator


@pytest.fixture
def callers():
    """An accelerator of the caller's own."""
    AcceleratorState._reset_state(reset_partial_state=True)
    yield Accelerator(cpu=True, mixed_precision="bf16")
    AcceleratorState._reset_state(reset_partial_state=True)


def test_a_callers_accelerator_and_generators_are_left_alone(callers, tmp_path, quickstart):
    drawn = []
    for busy in (False, True):
        random.seed(1)
        np.random.seed(1)
        torch.manual_seed(1)
        if busy:
            train(quickstart("epochs=1"), tmp_path / "run", "cpu")
            evaluate(tmp_path / "run", device="cpu")
        drawn.append((random.random(), np.random.random(), torch.rand(1).item()))
    assert drawn[0] == drawn[1]
    assert callers.mixed_precision == "bf16"
    assert Accelerator(cpu=True).mixed_precision == "bf16"
    with callers.autocast():
        assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == torch.bfloat16


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ACCELERATE_GRADIENT_ACCUMULATION_STEPS", "4"),
        ("ACCELERATE_MIXED_PRECISION", "bf16"),
        ("ACCELERATE_DYNAMO_BACKEND", "eager"),
        ("ACCELERATE_USE_FSDP", "true"),
    ],
)
def test_the_environment_overrides_no_recipe(name, value, trained, tmp_path, monkeypatch, quickstart, weights):
    monkeypatch.setenv(name, value)
    summary = train(quickstart(), tmp_path / "run", "cpu")
    assert os.environ[name] == value
    assert summary.updates == trained[1].updates
    assert weights(tmp_path / "run").keys() == weights(trained[0]).keys()
    assert all(torch.equal(each, weights(trained[0])[key]) for key, each in weights(tmp_path / "run").items())


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("moment", ["build_optimizer", "finish"])
def test_a_signal_outside_of_the_steps_is_a_message(moment, number, tmp_path, monkeypatch, quickstart):
    real = getattr(start, moment)

    def signalled(*arguments):
        os.kill(os.getpid(), number)
        return real(*arguments)

    monkeypatch.setattr(start, moment, signalled)
    with pytest.raises(InterruptedTraining, match="stopped by") as caught:
        train(quickstart("epochs=1"), tmp_path / "run", "cpu")
    assert caught.value.exit_code == 128 + number
    monkeypatch.undo()
    if moment == "build_optimizer":
        assert "Nothing was saved yet" in str(caught.value)
        assert not list(tmp_path.iterdir())
    else:
        assert resume(tmp_path / "run", device="cpu").updates == 3


def test_a_removed_run_folder_ends_the_training(tmp_path, monkeypatch, quickstart):
    from wavezoo.tasks import Classification

    real, calls = Classification.loss, []

    def removing(self, *arguments):
        calls.append(1)
        if len(calls) == 2:
            for file in (tmp_path / "run").iterdir():
                file.unlink()
            (tmp_path / "run").rmdir()
        return real(self, *arguments)

    monkeypatch.setattr(Classification, "loss", removing)
    with pytest.raises(WavezooError, match="has been removed"):
        train(quickstart(), tmp_path / "run", "cpu")
    assert not list(tmp_path.iterdir())


def test_no_layer_without_a_bound_is_simulated(tmp_path, monkeypatch, quickstart):
    monkeypatch.delattr(WaveOperator, "simulate")
    assert train(quickstart("epochs=1"), tmp_path / "run", "cpu").epochs == 1


def test_blocks_are_found_by_what_a_model_repeats():
    import timm

    assert repeated_blocks(timm.create_model("wavepde_pico", device="meta")) == ["Block"]
    assert repeated_blocks(timm.create_model("convnext_atto")) == ["ConvNeXtBlock"]
    assert repeated_blocks(nn.Linear(1, 1)) == []
