"""Every check of every suite fails on some scheme that is broken on purpose."""

import importlib
import math
import pkgutil

import pytest

from tests.testing import broken
from tests.testing.broken import BROKEN
from tests.testing.broken.recurrent import RunningSum
from wavezoo.plugins.axes import AXES
from wavezoo.testing.assertions import observed_order
from wavezoo.testing.conformance import checks, suite
from wavezoo.testing.mixers import CHECKS

for each in pkgutil.iter_modules(broken.__path__):
    importlib.import_module(f"tests.testing.broken.{each.name}")


@pytest.mark.parametrize(("scheme", "name"), BROKEN, ids=lambda value: getattr(value, "__name__", value))
def test_a_broken_scheme_fails(scheme, name):
    check = next(each for each in checks(scheme) if each.__name__.endswith(f".{name}"))
    with pytest.raises((AssertionError, TypeError, RuntimeError)):
        check()


@pytest.mark.parametrize("axis", AXES.values(), ids=lambda axis: axis.name)
def test_every_check_has_a_scheme_that_fails_it(axis):
    failed = {name for scheme, name in BROKEN if issubclass(scheme, axis.contract)}
    assert failed == {check.__name__ for check in suite(axis)}


def test_an_exact_integrator_would_have_no_order_to_fit():
    assert math.isclose(observed_order([0.1, 0.2, 0.4], [0.01, 0.04, 0.16]), 2)


@pytest.mark.parametrize("check", suite(AXES["mixers"], RunningSum)[len(CHECKS) :])
def test_what_broken_recurrences_are_made_of_works(check):
    check(RunningSum)
