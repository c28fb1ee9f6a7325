"""README and documents say what is so: their examples run, and what they list is what there is."""

import re
import sys
import types
from pathlib import Path

import pytest

from wavezoo.plugins.axes import AXES
from wavezoo.plugins.registry import registry

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = {
    page.name: page.read_text(encoding="utf-8") for page in [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
}
PYTHON = {
    f"{name}-{number}": code
    for name, text in PAGES.items()
    for number, code in enumerate(re.findall(r"```python\n(.*?)```", text, re.DOTALL))
    # Files that are shown have tests of their own.
    if "--8<--" not in code
}
GENERATED = ("axes/", "commands.md")


def test_readme_is_short():
    assert len(README.splitlines()) <= 200


@pytest.mark.parametrize("name", PYTHON)
def test_python_examples_run(name, scratch_registry, monkeypatch):
    # A module of their own, as a notebook's is, so that the classes they define can be pickled.
    module = types.ModuleType("readme")
    monkeypatch.setitem(sys.modules, "readme", module)
    exec(compile(PYTHON[name], name, "exec"), vars(module))


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page):
    folder = ROOT if page == "README.md" else ROOT / "docs"
    for target in re.findall(r"\]\(([^)#]+)[^)]*\)", PAGES[page]):
        if not target.startswith(("https:", *GENERATED)):
            assert (folder / target).exists(), f"{page} links to {target}"


@pytest.mark.parametrize("name", [name for axis in AXES for name in registry.schemes(axis)])
def test_every_scheme_is_in_readme(name):
    assert f"`{name}`" in README


@pytest.mark.parametrize("name", [name for name in registry.models() if not name.endswith("_paper")])
def test_every_model_is_in_the_table_with_its_parameters(name):
    entry = registry.models()[name]
    given = {"sequence": {"in_features": 1}, "language": {"vocab_size": 256}}.get(entry.kind, {})
    model = entry.build(**given, device="meta")
    parameters = sum(each.numel() for each in model.parameters())
    row = next(line for line in PAGES["models.md"].splitlines() if line.startswith(f"| `{name}` |"))
    assert row.endswith(f"| {parameters / 1e6:.{1 if parameters > 1.3e7 else 2}f} M |")


@pytest.mark.parametrize("name", registry.datasets())
def test_every_data_set_is_in_the_table(name):
    rows = PAGES["data.md"].partition("| data set |")[2].partition("\n\n")[0]
    assert f"`{name}`" in rows


@pytest.mark.parametrize("name", registry.tasks())
def test_every_task_is_in_the_table(name):
    rows = PAGES["recipes.md"].partition("| task |")[2].partition("\n\n")[0]
    assert f"`{name}`" in rows
