import json

import pytest
from safetensors.torch import load_file

from wavezoo.config.recipe import find_recipe, load_recipe
from wavezoo.train import train

TINY = ["model.dims=[8, 8, 8, 8]", "model.depths=[1, 1, 1, 1]", "epochs=2", "batch_size=16", "data.limit_samples=48"]


@pytest.fixture(scope="session")
def quickstart():
    """The quickstart, made tiny, with ``key=value`` besides."""
    return lambda *overrides: load_recipe(find_recipe("quickstart"), [*TINY, *overrides])


@pytest.fixture(scope="session")
def trained(tmp_path_factory, quickstart):
    """A run folder and its summary, not to be changed."""
    out = tmp_path_factory.mktemp("trained") / "run"
    return out, train(quickstart(), out, "cpu")


@pytest.fixture(scope="session")
def lines():
    """The measurements of a run folder, as JSON says them."""
    return lambda run: [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]


@pytest.fixture(scope="session")
def weights():
    """The last weights of a run folder."""
    return lambda run: load_file(run / "last.safetensors")
