"""A checkpoint that can be read and is wrong is passed over for the one before."""

import shutil

import pytest
import torch

from wavezoo.errors import WavezooError
from wavezoo.runs.folder import RunFolder
from wavezoo.train import resume, train


def first_value(tree):
    """Return a mapping of tensors with its first one cut."""
    name = next(iter(tree))
    return {**tree, name: torch.zeros(1, 2, 3, 4, 5)}


def cut_moment(optimizer):
    number = next(iter(optimizer["state"]))
    state = {**optimizer["state"][number], "exp_avg": torch.zeros(2, 3, 4)}
    return {**optimizer, "state": {**optimizer["state"], number: state}}


DAMAGE = {
    "nothing": lambda state: {},
    "a list": lambda state: [],
    "another format": lambda state: {**state, "format": 2},
    "no progress": lambda state: {name: value for name, value in state.items() if name != "progress"},
    "no optimiser": lambda state: {**state, "optimizer": {}},
    "no recipe": lambda state: {**state, "recipe": None},
    "another shape": lambda state: {**state, "model": first_value(state["model"])},
    "a parameter less": lambda state: {**state, "model": dict(list(state["model"].items())[1:])},
    "another moment": lambda state: {**state, "optimizer": cut_moment(state["optimizer"])},
    "an epoch less": lambda state: {**state, "progress": {**state["progress"], "epoch": 0}},
    "negative updates": lambda state: {**state, "progress": {**state["progress"], "updates": -1}},
    "updates in words": lambda state: {**state, "progress": {**state["progress"], "updates": "many"}},
    "a batch too far": lambda state: {**state, "progress": {**state["progress"], "batch": 10**9}},
    "metrics that are none": lambda state: {**state, "progress": {**state["progress"], "metrics": [{"a": 1}]}},
}


@pytest.fixture(scope="module")
def ended(tmp_path_factory, quickstart):
    """A run that has all its checkpoints and no summary, and the summary."""
    out = tmp_path_factory.mktemp("ended") / "run"
    summary = train(quickstart(), out, "cpu")
    (out / "summary.json").unlink()
    return out, summary


QUICK = ("nothing", "another moment", "an epoch less", "metrics that are none")


@pytest.mark.parametrize(
    "damage", [name if name in QUICK else pytest.param(name, marks=pytest.mark.slow) for name in DAMAGE]
)
def test_a_wrong_checkpoint_is_passed_over(damage, ended, tmp_path, weights):
    out, summary = ended
    run = shutil.copytree(out, tmp_path / "run")
    newest = max(run.glob("checkpoint-*.pt"))
    state = torch.load(newest, weights_only=True)
    torch.save(DAMAGE[damage](state), newest)
    resumed = resume(run, device="cpu")
    assert (resumed.last, resumed.updates) == (summary.last, summary.updates)
    assert all(torch.equal(value, weights(out)[name]) for name, value in weights(run).items())
    (run / "summary.json").unlink()
    for file in run.glob("checkpoint-*.pt"):
        torch.save(DAMAGE[damage](state), file)
    with pytest.raises(WavezooError, match="No older checkpoint is left"):
        resume(run, device="cpu")
    assert RunFolder(run).read_summary() is None
