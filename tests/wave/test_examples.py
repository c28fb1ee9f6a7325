"""The examples in the documents of a scheme of one's own run, learn and, where told, conform."""

import runpy
from pathlib import Path

import pytest
import torch

import wavezoo
from wavezoo.plugins.axes import AXES

FOLDER = Path(__file__).parents[2] / "docs" / "examples" / "axes"


def test_every_axis_has_one():
    assert {file.stem for file in FOLDER.glob("*.py")} == set(AXES)


@pytest.mark.parametrize("axis", AXES)
def test_it_runs_and_learns(axis):
    found = runpy.run_path(str(FOLDER / f"{axis}.py"))
    torch.manual_seed(0)
    x = torch.randn(2, 8, 16)
    output = found["operator"](x)
    assert output.shape == x.shape
    assert output.isfinite().all()
    output.square().sum().backward()
    assert all(parameter.grad.any() for parameter in found["operator"].parameters())


def test_an_operator_from_objects_takes_five_lines():
    from wavezoo.wave import SpectralLaplacian, VelocityVerlet, WaveOperator

    operator = WaveOperator(8, SpectralLaplacian(8, 2), VelocityVerlet())
    assert operator(torch.randn(2, 8, 16, 16)).shape == (2, 8, 16, 16)
    named = wavezoo.create_operator(8, 2, damping="none")
    named.load_state_dict(operator.state_dict())
    x = torch.randn(1, 8, 9, 7)
    assert torch.equal(named(x), operator(x))


def test_a_drift_of_whole_cells_moves_the_solution_at_rest():
    moving = runpy.run_path(str(FOLDER / "drifts.py"))["operator"]
    x = torch.randn(1, 8, 16)
    expected = moving(x)
    moving.drift = None
    torch.testing.assert_close(expected, moving(x).roll(4, -1))
