import os
import sys

# Only what the repository holds: neither plugins nor data that happen to be installed or reachable.
os.environ["WAVEZOO_LOAD_PLUGINS"] = ""
os.environ["HF_HUB_OFFLINE"] = "1"

import hypothesis
import pytest
import torch

from wavezoo.cli.app import main
from wavezoo.plugins.registry import registry

torch.set_num_threads(1)
# Fresh inputs in every run; a failure prints how to repeat it.
hypothesis.settings.register_profile("fresh", database=None, deadline=None, print_blob=True)
hypothesis.settings.load_profile("fresh")


@pytest.fixture
def scratch_registry():
    """The registry, which forgets afterwards what a test adds to it."""
    with registry.scratch():
        yield registry


@pytest.fixture
def wavezoo_(monkeypatch, capsys, tmp_path):
    """Run the command in an empty folder; return its exit code, output and errors."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["wavezoo", *map(str, arguments)])
        # The command leaves the process also when all went well.
        with pytest.raises(SystemExit) as stopped:
            main()
        captured = capsys.readouterr()
        return stopped.value.code or 0, captured.out, captured.err

    return run
