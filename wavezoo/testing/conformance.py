"""What every scheme of an axis must do, as checks that raise AssertionError.

Use them on a scheme of your own with pytest::

    @pytest.mark.parametrize("check", wavezoo.testing.checks(MyIntegrator))
    def test_conformance(check):
        check()
"""

import functools
import importlib
import inspect
from collections.abc import Callable, Mapping
from typing import Any

from wavezoo.errors import WavezooError
from wavezoo.plugins.axes import AXES, Axis
from wavezoo.wave.scheme import Scheme

Check = Callable[[], None]


def suite(axis: Axis, scheme: type[Scheme] | None = None) -> list[Callable[..., None]]:
    """Return the checks of a scheme of an axis, or all that there are."""
    module = importlib.import_module(axis.suite)
    found = list(module.CHECKS)
    for contract, further in getattr(module, "FURTHER", {}).items():
        if scheme is None or issubclass(scheme, contract):
            found += further
    return found


def cases(scheme: type[Scheme]) -> list[Mapping[str, Any]]:
    """Return the sets of options that the suite covers: none if every option has a default, then the variants."""
    parameters = inspect.signature(scheme).parameters.values()
    given = {option for axis in AXES.values() for option in axis.given}
    incomplete = any(
        each.kind is each.KEYWORD_ONLY and each.default is each.empty and each.name not in given for each in parameters
    )
    return [*([] if incomplete else [{}]), *scheme.variants]


def checks(scheme: type[Scheme], **options: Any) -> list[Check]:
    """Return the conformance checks of ``scheme``, each a function without arguments that raises AssertionError.

    Those whose attribute ``slow`` is true take seconds.

    Args:
        scheme: a subclass of one of the contracts.
        **options: options to build it with; without any, all its ``variants`` are covered, and its defaults where every
            option has one.

    Raises:
        WavezooError: if ``scheme`` is a subclass of no contract.
    """
    axis = next((axis for axis in AXES.values() if issubclass(scheme, axis.contract)), None)
    if axis is None:
        contracts = ", ".join(f"wavezoo.{axis.contract.__name__}" for axis in AXES.values())
        raise WavezooError(f"{scheme.__name__} is a subclass of none of {contracts}.")
    found: list[Check] = []
    for variant in [options] if options else cases(scheme):
        for check in suite(axis, scheme):
            bound = functools.partial(check, functools.partial(scheme, **variant))
            label = ",".join(f"{key}={value}" for key, value in variant.items())
            bound.__name__ = f"{scheme.__name__}({label}).{check.__name__}"  # type: ignore[attr-defined]
            bound.slow = getattr(check, "slow", False)  # type: ignore[attr-defined]
            found.append(bound)
    return found
