"""What every scheme of an axis must do, as checks that raise AssertionError.

Use them on a scheme of your own with pytest::

    @pytest.mark.parametrize("check", wavezoo.testing.checks(MyIntegrator))
    def test_conformance(check):
        check()
"""

import functools
import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from wavezoo.errors import WavezooError
from wavezoo.plugins.registry import CONTRACTS
from wavezoo.testing import damping, drifts, fields, integrators, laplacians, mixers, potentials
from wavezoo.wave.scheme import Scheme

Check = Callable[[], None]

SUITES: Mapping[str, Sequence[Callable[..., None]]] = {
    "laplacians": laplacians.CHECKS,
    "integrators": integrators.CHECKS,
    "fields": fields.CHECKS,
    "damping": damping.CHECKS,
    "potentials": potentials.CHECKS,
    "drifts": drifts.CHECKS,
    "mixers": mixers.CHECKS,
}


def cases(scheme: type[Scheme]) -> list[Mapping[str, Any]]:
    """Return the sets of options that the suite covers: none if every option has a default, then the variants."""
    parameters = inspect.signature(scheme).parameters.values()
    # A field's initial value and a mixer's operator are given by whoever builds them.
    incomplete = any(
        each.kind is each.KEYWORD_ONLY and each.default is each.empty and each.name not in ("initial", "operator")
        for each in parameters
    )
    return [*([] if incomplete else [{}]), *scheme.variants]


def checks(scheme: type[Scheme], **options: Any) -> list[Check]:
    """Return the conformance checks of ``scheme``, each a function without arguments that raises AssertionError.

    Args:
        scheme: a subclass of one of the contracts.
        **options: options to build it with; without any, all its ``variants`` are covered, and its defaults where every
            option has one.

    Raises:
        WavezooError: if ``scheme`` is a subclass of no contract.
    """
    suite = next((SUITES[axis] for axis, contract in CONTRACTS.items() if issubclass(scheme, contract)), None)
    if suite is None:
        contracts = ", ".join(f"wavezoo.{contract.__name__}" for contract in CONTRACTS.values())
        raise WavezooError(f"{scheme.__name__} is a subclass of none of {contracts}.")
    found: list[Check] = []
    for variant in [options] if options else cases(scheme):
        for check in suite:
            bound = functools.partial(check, functools.partial(scheme, **variant))
            label = ",".join(f"{key}={value}" for key, value in variant.items())
            bound.__name__ = f"{scheme.__name__}({label}).{check.__name__}"  # type: ignore[attr-defined]
            found.append(bound)
    return found
