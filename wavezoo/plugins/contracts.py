"""What is checked of each thing that a plugin brings, once, when it is registered."""

import inspect
from collections.abc import Mapping
from pathlib import Path

from wavezoo.errors import PluginError
from wavezoo.plugins.axes import AXES, Kind

NO_SCHEME = "none"


def check_all(kind: Kind, brought: object, plugin: str) -> dict[str, object]:
    """Check what a hook returned.

    Raises:
        PluginError: naming the plugin, and what is wrong.
    """
    if not isinstance(brought, Mapping) or not all(isinstance(name, str) for name in brought):
        what = "classes" if kind.name in AXES else f"instances of {kind.path.partition(':')[2]}"
        raise PluginError(f"Plugin {plugin!r}: {kind.hook} returns {brought!r}; return a dict from names to {what}.")
    for name, value in brought.items():
        _check_name(kind, name, plugin)
        if kind.name in AXES:
            _check_scheme(kind, name, value, plugin)
        else:
            _check_whole(kind, name, value, plugin)
    return dict(brought)


def _check_name(kind: Kind, name: str, plugin: str) -> None:
    if not name or name != name.strip() or not name.isprintable():
        raise PluginError(
            f"Plugin {plugin!r}: the {kind.singular} name {name!r} cannot be written in a recipe. Use letters, digits, "
            "- and _, without spaces at the ends."
        )
    if name == NO_SCHEME and kind.name in AXES and AXES[kind.name].optional:
        raise PluginError(
            f'Plugin {plugin!r}: the name "none" stands for no {kind.singular} at all. Choose another name.'
        )


def _check_scheme(kind: Kind, name: str, scheme: object, plugin: str) -> None:
    contract = kind.contract
    where = f"Plugin {plugin!r}: {kind.singular} {name!r}"
    if not (inspect.isclass(scheme) and issubclass(scheme, contract)):
        raise PluginError(f"{where} is {scheme!r}; it must be a subclass of wavezoo.{contract.__name__}.")
    if missing := sorted(getattr(scheme, "__abstractmethods__", ())):
        raise PluginError(f"{where} does not implement {', '.join(missing)} of wavezoo.{contract.__name__}.")
    facts = [fact for fact in inspect.get_annotations(contract) if not hasattr(scheme, fact)]
    if facts:
        raise PluginError(f"{where} does not declare {', '.join(facts)}; set them as class attributes.")
    if not scheme.__doc__:
        raise PluginError(f"{where} has no docstring; `wavezoo describe {name}` would have nothing to show.")


def _check_whole(kind: Kind, name: str, value: object, plugin: str) -> None:
    contract = kind.contract
    where = f"Plugin {plugin!r}: {kind.singular} {name!r}"
    # A task is given as its class, since a recipe says its options.
    fits = issubclass(value, contract) if inspect.isclass(value) else isinstance(value, contract)
    if not fits:
        raise PluginError(f"{where} is {value!r}; it must be of {kind.path.replace(':', '.')}.")
    if isinstance(value, Path) and not value.is_file():
        raise PluginError(f"{where} is {str(value)!r}, which is no file; give the path of a YAML file.")
