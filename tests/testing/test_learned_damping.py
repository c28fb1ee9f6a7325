"""A damping scheme that learns and acts on modes, the documents' example, passes the suite for its axis."""

import importlib.util
import math
import sys
from pathlib import Path

import pytest

import wavezoo.testing

EXAMPLE = Path(__file__).parents[2] / "docs" / "examples" / "axes" / "damping.py"


def example(name):
    spec = importlib.util.spec_from_file_location(name, EXAMPLE)
    # Known by its name, so that what it defines can be copied between processes.
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


Rayleigh = example("rayleigh_example").Rayleigh


@pytest.mark.parametrize("check", wavezoo.testing.checks(Rayleigh))
def test_rayleigh_damping_keeps_the_contract(check):
    check()


def test_its_numbers_can_be_measured():
    assert abs(wavezoo.testing.measure(Rayleigh)["order"] - 2) < 0.1
    verlet = wavezoo.testing.measure(wavezoo.wave.VelocityVerlet)
    assert abs(verlet["stability_limit"] - 2) < 1e-3
    assert verlet["gamma_dt_limit"] == math.inf
    assert abs(wavezoo.testing.measure(wavezoo.wave.SpectralLaplacian)["spectral_radius"] - math.pi**2) < 1e-9
