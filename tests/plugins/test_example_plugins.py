"""The plugins of docs/examples/plugins: one scheme for each axis, found by its plugin's hook and held to its own claims."""

from pathlib import Path

import pytest
import torch

import wavezoo
from wavezoo.plugins.axes import AXES
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
