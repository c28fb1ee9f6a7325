"""The hooks that a plugin may implement, one for each row of the table of axes.

Each takes no argument and returns a dict from names to what the row is about; its documentation says what, and how it
is built. A name may hold anything that prints; it must be free.
"""

from collections.abc import Callable, Mapping
from typing import Any

import pluggy

from wavezoo.plugins.axes import KINDS, Axis, Kind

PROJECT = "wavezoo"

hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


def _documentation(kind: Kind) -> str:
    where, _, name = kind.path.partition(":")
    if not isinstance(kind, Axis):
        return f"Return {kind.summary}.\n\nA dict from names to instances of ``{where}.{name}``."
    arguments = [*kind.built_with, *(f"{option}=…" for option in kind.given), "**options"]
    return (
        f"Return {kind.summary}.\n\nA dict from names to final subclasses of `wavezoo.{name}`. Each is built as "
        f"``cls({', '.join(arguments)})``."
    )


def _specification(kind: Kind) -> Callable[[], Mapping[str, Any]]:
    def hook() -> Mapping[str, Any]:
        return {}

    hook.__name__ = hook.__qualname__ = kind.hook
    hook.__doc__ = _documentation(kind)
    return hookspec(hook)


HOOKS: dict[str, Callable[[], Mapping[str, Any]]] = {kind.hook: _specification(kind) for kind in KINDS.values()}
SPECIFICATIONS = type("Specifications", (), {name: staticmethod(hook) for name, hook in HOOKS.items()})
