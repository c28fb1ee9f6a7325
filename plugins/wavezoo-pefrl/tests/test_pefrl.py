import pytest
from wavezoo_pefrl import PEFRL

import wavezoo.testing


@pytest.mark.parametrize("check", wavezoo.testing.checks(PEFRL))
def test_conformance(check):
    check()


def test_wavezoo_finds_it_by_its_entry_point():
    operator = wavezoo.create_operator(4, ndim=1, integrator="pefrl")
    assert type(operator.integrator) is PEFRL
