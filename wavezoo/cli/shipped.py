"""What ships with wavezoo, read from the text of its sources: to list names, torch need not be imported."""

import ast
import functools
from pathlib import Path

from wavezoo.models.variants import VARIANTS

PACKAGE = Path(__file__).parent.parent
HOOKS = "wavezoo.plugins.builtin"

Definition = ast.ClassDef | ast.FunctionDef


def shipped(kind: str) -> list[tuple[str, str]] | None:
    """Return names and documentation of the schemes, tasks or models that ship with wavezoo.

    Args:
        kind: the plural, such as ``"integrators"``.

    Returns:
        None if the sources are not written in a way that can be read so.
    """
    if kind == "models":
        return [(name, variant.description) for name, variant in sorted(VARIANTS.items())]
    return _brought_by(f"wavezoo_{kind}")


def _brought_by(hook: str) -> list[tuple[str, str]] | None:
    function = _definition(HOOKS, hook)
    if not isinstance(function, ast.FunctionDef):
        return None
    returned = [node.value for node in ast.walk(function) if isinstance(node, ast.Return)]
    if len(returned) != 1 or not isinstance(table := returned[0], ast.Dict):
        return None
    imported = _imports(_module(HOOKS)) | _imports(function)
    names = []
    for key, value in zip(table.keys, table.values, strict=True):
        # An instance is documented by its class.
        named = value.func if isinstance(value, ast.Call) else value
        if not (isinstance(key, ast.Constant) and isinstance(named, ast.Name) and named.id in imported):
            return None
        documented = _definition(*imported[named.id])
        if documented is None:
            return None
        names.append((str(key.value), ast.get_docstring(documented) or ""))
    return names


def _definition(module: str, name: str) -> Definition | None:
    """Return the class or function that ``module`` defines under ``name``, or imports from another of wavezoo's."""
    tree = _module(module)
    for node in tree.body:
        if isinstance(node, (ast.ClassDef, ast.FunctionDef)) and node.name == name:
            return node
    elsewhere = _imports(tree).get(name)
    return _definition(*elsewhere) if elsewhere is not None and elsewhere[0].startswith("wavezoo.") else None


def _imports(tree: ast.AST) -> dict[str, tuple[str, str]]:
    body = getattr(tree, "body", [])
    return {
        alias.asname or alias.name: (node.module, alias.name)
        for node in body
        if isinstance(node, ast.ImportFrom) and node.module
        for alias in node.names
    }


@functools.cache
def _module(name: str) -> ast.Module:
    path = PACKAGE.joinpath(*name.split(".")[1:])
    file = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    return ast.parse(file.read_text(encoding="utf-8"))
