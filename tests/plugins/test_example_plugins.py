"""The plugins of docs/examples/plugins: a scheme for each axis, found by its hook and held to what it declares."""

from pathlib import Path

import pytest
import torch

import wavezoo
from wavezoo.plugins.axes import AXES
from wavezoo.tasks import Classification
from wavezoo.testing import checks

FOLDER = Path(__file__).parent.parent.parent / "docs" / "examples" / "plugins"
LONGEST = 30


@pytest.mark.parametrize("axis", AXES)
def test_each_axis_has_an_example_that_keeps_its_promises(axis, scratch_registry):
    file = FOLDER / f"{axis}.py"
    assert len(file.read_text(encoding="utf-8").splitlines()) <= LONGEST
    before = set(scratch_registry.schemes(axis))
    wavezoo.load_plugin(str(file))
    (name,) = set(scratch_registry.schemes(axis)) - before
    for check in checks(scratch_registry.scheme(axis, name)):
        check()
    for role in AXES[axis].roles:
        choice = {"name": name, "initial": 0.5} if axis == "fields" else name
        x = torch.randn(2, 3, 12)
        assert wavezoo.create_operator(3, 1, **{role: choice})(x).shape == x.shape


def test_nothing_else_pretends_to_be_an_axis():
    assert {file.stem for file in FOLDER.glob("*.py")} == set(AXES)


class Bringer:
    """A plugin with a model and a task."""

    @wavezoo.hookimpl
    def wavezoo_models(self):
        return {"line": wavezoo.ModelEntry(lambda **options: torch.nn.Linear(2, 2), "sequence", "A linear map.")}

    @wavezoo.hookimpl
    def wavezoo_tasks(self):
        return {"sorting": Classification}


def test_models_and_tasks_are_found_by_name(scratch_registry):
    wavezoo.register(Bringer())
    assert isinstance(wavezoo.create_model("line"), torch.nn.Linear)
    assert scratch_registry.tasks()["sorting"] is Classification
