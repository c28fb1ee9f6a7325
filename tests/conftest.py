import os
import sys

# Only what the repository holds: neither plugins nor data that happen to be installed or reachable.
os.environ["WAVEZOO_LOAD_PLUGINS"] = ""
os.environ["HF_HUB_OFFLINE"] = "1"

import hypothesis
import pytest
import torch

from wavezoo.plugins.registry import Registry

torch.set_num_threads(1)
# Fresh inputs in every run; a failure prints how to repeat it.
hypothesis.settings.register_profile("fresh", database=None, deadline=None, print_blob=True)
hypothesis.settings.load_profile("fresh")


@pytest.fixture
def empty_registry(monkeypatch, tmp_path):
    """A registry of its own for tests that add plugins; modules from their folder are forgotten afterwards."""
    registry = Registry()
    for module in (
        "wavezoo.plugins.registry",
        "wavezoo.config.spec",
        "wavezoo.cli.describe",
        "wavezoo.cli.app",
        "wavezoo.train.prepare",
    ):
        monkeypatch.setattr(f"{module}.registry", registry)
    yield registry
    for name, module in list(sys.modules.items()):
        if str(getattr(module, "__file__", "")).startswith(str(tmp_path)):
            del sys.modules[name]
