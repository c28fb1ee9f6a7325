import pytest

import wavezoo.testing
from wavezoo.plugins.axes import AXES
from wavezoo.plugins.registry import registry

CHECKS = [
    pytest.param(check, marks=pytest.mark.slow if check.slow else ())
    for axis in AXES
    for scheme in registry.schemes(axis).values()
    for check in wavezoo.testing.checks(scheme)
]


@pytest.mark.parametrize("check", CHECKS)
def test_conformance(check):
    check()
