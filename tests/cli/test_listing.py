import pytest

from wavezoo.cli.listing import list_names
from wavezoo.cli.shipped import shipped
from wavezoo.plugins.axes import AXES, KINDS


@pytest.mark.parametrize("kind", KINDS)
def test_what_ships_is_listed_alike_with_and_without_importing_it(kind):
    assert list_names(kind, plugins=False) == list_names(kind, plugins=True)
    assert all(line for _, line in list_names(kind))


@pytest.mark.parametrize("axis", AXES)
def test_every_axis_is_read_from_the_sources(axis):
    assert shipped(axis)
