import pytest

import wavezoo
from wavezoo.plugins.registry import registry


def _plugin(name="Plugin", **hooks):
    functions = {hook: wavezoo.hookimpl(lambda self, result=result: result) for hook, result in hooks.items()}
    return type(name, (), functions)()


def _another(kind):
    last = list(registry.all(kind).values())[-1]
    return type("Other", (last,), {"__doc__": "Another one."}) if isinstance(last, type) else last


@pytest.fixture
def plugin():
    """Makes an object that implements hooks, each given as what it returns."""
    return _plugin


@pytest.fixture
def another():
    """Makes one more thing of a kind: a subclass of the last scheme on an axis, or the last data set and so on."""
    return _another
