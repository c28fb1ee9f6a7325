"""Options that several commands share."""

from typing import Annotated

import typer

from wavezoo.cli.output import say_aside

Plugins = Annotated[
    list[str] | None,
    typer.Option("--plugin", help="Load a plugin from a Python file or a module; may be repeated."),
]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1, mps.")]


def load_plugins(references: list[str] | None) -> list[str]:
    """Load the plugins that the command line names, and say which installed ones were left out; return their names."""
    from wavezoo.plugins.loading import load_plugin
    from wavezoo.plugins.registry import registry

    names = [load_plugin(reference).name for reference in references or []]
    for error in registry.left_out():
        say_aside(f"wavezoo: warning: left out: {error}")
    return names


def any_plugins(references: list[str] | None) -> bool:
    """Load the plugins, and return whether there are any beside what ships with wavezoo."""
    from wavezoo.plugins.loading import installed

    if not references and next(installed(), None) is None:
        return False
    load_plugins(references)
    return True
