import ast
import importlib
import subprocess
import sys
from pathlib import Path

import pytest

import wavezoo

LATER = """
import sys
import wavezoo
heavy = {"torch", "timm", "pydantic", "typer"} & set(sys.modules)
assert not heavy, heavy
import importlib.util
assert importlib.util.find_spec("timm") and "timm" not in sys.modules
import FIRST
from importlib.resources import files
import timm
assert timm.list_models("wavepde*")
assert timm.create_model("wavepde_iso_tiny", device="meta").num_classes == 1000
assert (files("timm") / "__init__.py").is_file()
assert not any("wavezoo" in type(finder).__module__ for finder in sys.meta_path)
"""


@pytest.mark.parametrize(
    "first", ["timm.layers", *(pytest.param(name, marks=pytest.mark.slow) for name in ("timm", "wavezoo.models.block"))]
)
def test_timm_knows_the_models_whatever_is_imported_first(first):
    ran = subprocess.run(
        [sys.executable, "-W", "error", "-c", LATER.replace("FIRST", first)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "", "")


def imported(tree):
    return {
        (node.module, alias.name)
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module.startswith("wavezoo.")
        for alias in node.names
    }


def test_type_checkers_see_what_is_imported_when_asked_for():
    tree = ast.parse(Path(wavezoo.__file__).read_text(encoding="utf-8"))
    places = {name: module for module, name in imported(tree)}
    assert set(places) >= set(wavezoo.__all__)
    for name in wavezoo.__all__:
        assert getattr(wavezoo, name) is getattr(importlib.import_module(places[name]), name)
    assert set(dir(wavezoo)) >= set(wavezoo.__all__)
    with pytest.raises(AttributeError, match="nothing_of_that_name"):
        _ = wavezoo.nothing_of_that_name
