"""Commands that tell what there is, and whether it is what it claims to be."""

from collections.abc import Callable, Iterator
from typing import Annotated, Any

import typer

from wavezoo.cli.options import Plugins, any_plugins, load_plugins
from wavezoo.cli.output import Table, say
from wavezoo.errors import WavezooError, not_allowed
from wavezoo.plugins.axes import KINDS


def list_(
    kind: Annotated[str, typer.Argument(help=f"One of {', '.join(KINDS)}.")],
    plugin: Plugins = None,
) -> None:
    """List what there is of a kind, a line each."""
    from wavezoo.cli.listing import list_names

    say(Table((), list_names(kind, any_plugins(plugin))).text())


def describe(
    name: Annotated[str, typer.Argument(help="A scheme, model, recipe, data set or task.")], plugin: Plugins = None
) -> None:
    """Show what a scheme, model, recipe, data set or task is: equation, facts, options and defaults."""
    from wavezoo.cli.describe import describe as describe_name

    load_plugins(plugin)
    say(describe_name(name))


def plugins(plugin: Plugins = None) -> None:
    """List the loaded plugins, where each comes from and what it brings; then those left out, and why."""
    from wavezoo.plugins.registry import registry

    load_plugins(plugin)
    rows = []
    for loaded in registry.plugins():
        brought = registry.brought_by(loaded)
        brings = [f"{kind}: {', '.join(names)}" for kind, names in brought.items() if names]
        rows.append((loaded.name, loaded.source, "; ".join(brings)))
    say(Table(("plugin", "from", "brings"), rows).text())
    for error in registry.left_out():
        say(f"left out: {error}")


def check(name: Annotated[str, typer.Argument(help="A scheme.")], plugin: Plugins = None) -> None:
    """Run the conformance suite on a scheme: measure what it declares."""
    from wavezoo.plugins.axes import AXES
    from wavezoo.plugins.registry import registry

    load_plugins(plugin)
    axes = [axis for axis in AXES if name in registry.schemes(axis)]
    if not axes:
        raise not_allowed("scheme", name, dict.fromkeys(known for axis in AXES for known in registry.schemes(axis)))
    failures = 0
    for axis in axes:
        owner = registry.owner(axis, name).name
        for label, failure in _checked(registry.scheme(axis, name), owner):
            say(f"passed  {label}" if failure is None else f"FAILED  {label}: {failure}")
            failures += failure is not None
    if failures:
        raise typer.Exit(1)


def _checked(scheme: Any, owner: str) -> Iterator[tuple[str, str | None]]:
    """Yield the label of each check of a scheme, and what failed, None if nothing did."""
    from wavezoo.testing import checks

    try:
        suite = list(checks(scheme))
    # A scheme's own code may raise anything, when it is built for its checks as well as in them.
    except (Exception, SystemExit) as error:
        yield scheme.__name__, _failure(error, owner)
        return
    for each in suite:
        yield each.__name__, _outcome(each, owner)


def _outcome(check: Callable[[], object], owner: str) -> str | None:
    try:
        check()
    except (Exception, SystemExit) as error:
        return _failure(error, owner)
    return None


def _failure(error: BaseException, owner: str) -> str:
    if isinstance(error, (AssertionError, WavezooError)):
        return str(error)
    return f"{type(error).__name__} in the plugin {owner}: {str(error).strip()}"
