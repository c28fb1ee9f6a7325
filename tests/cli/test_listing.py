import subprocess
import sys

import pytest

from wavezoo.cli.listing import list_names
from wavezoo.cli.shipped import shipped
from wavezoo.plugins.axes import AXES, KINDS

# Runs a command, and says on the last line what it cost.
MEASURED = """
import resource, sys
from wavezoo.cli.app import main
try:
    main(sys.argv[1:])
finally:
    print("torch" in sys.modules, resource.getrusage(resource.RUSAGE_SELF).ru_utime)
"""


@pytest.mark.parametrize("kind", KINDS)
def test_what_ships_is_listed_alike_with_and_without_importing_it(kind):
    assert list_names(kind, plugins=False) == list_names(kind, plugins=True)
    assert all(line for _, line in list_names(kind))


@pytest.mark.parametrize("axis", AXES)
def test_every_axis_is_read_from_the_sources(axis):
    assert shipped(axis)


@pytest.mark.parametrize(
    "arguments",
    [("--help",), ("train", "--help"), ("bench", "--help"), *(("list", kind) for kind in KINDS)],
    ids=" ".join,
)
def test_help_and_lists_answer_at_once(arguments):
    done = subprocess.run([sys.executable, "-c", MEASURED, *arguments], capture_output=True, text=True, check=True)
    torch, seconds = done.stdout.splitlines()[-1].split()
    assert torch == "False"
    assert float(seconds) < 1
