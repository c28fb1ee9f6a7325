import re
import sys
import types
from pathlib import Path

import pytest

from wavezoo.cli.describe import list_names
from wavezoo.data.builtin import DATASETS
from wavezoo.models.registry import create_model
from wavezoo.plugins.axes import AXES
from wavezoo.plugins.hooks import HOOKS
from wavezoo.plugins.registry import registry
from wavezoo.wave.operator import COURANT_GUARDS, INITIAL_VELOCITIES, READOUTS

README = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")
PYTHON = re.findall(r"```python\n(.*?)```", README, re.DOTALL)


@pytest.mark.parametrize("code", PYTHON, ids=range(len(PYTHON)))
def test_python_examples_run(code, scratch_registry, monkeypatch):
    # A module of their own, as a notebook's is, so that the classes they define can be pickled.
    module = types.ModuleType("readme")
    monkeypatch.setitem(sys.modules, "readme", module)
    exec(compile(code, "README.md", "exec"), vars(module))


@pytest.mark.parametrize("name", [name for axis in AXES for name in registry.schemes(axis)])
def test_every_scheme_is_in_the_table(name):
    assert f"`{name}`" in README


@pytest.mark.parametrize("hook", HOOKS)
def test_every_hook_is_in_the_table(hook):
    assert f"| `{hook}` |" in README


@pytest.mark.parametrize("option", [*INITIAL_VELOCITIES, *READOUTS, *COURANT_GUARDS])
def test_every_choice_is_named(option):
    assert f"`{option}`" in README


@pytest.mark.parametrize("name", [name for name, _ in list_names("models") if not name.endswith("_paper")])
def test_every_model_is_in_the_table_with_its_parameters(name):
    sequence = registry.models()[name].kind == "sequence"
    model = create_model(name, device="meta", **({"in_features": 1} if sequence else {}))
    parameters = sum(each.numel() for each in model.parameters())
    row = next(line for line in README.splitlines() if line.startswith(f"| `{name}` |"))
    assert row.endswith(f"| {parameters / 1e6:.{1 if parameters > 1.3e7 else 2}f} M |")


@pytest.mark.parametrize("name", DATASETS)
def test_every_data_set_is_in_the_table(name):
    rows = README.partition("| data set |")[2].partition("\n\n")[0]
    assert f"`{name}`" in rows
