"""From names to schemes: what a keyword argument or a recipe says of one is checked once, and builds it after.

A scheme is given by its name, ``"pefrl"``, or as a mapping with its options, ``{"name": "finite_difference",
"order": 4}``; "none" or None stand for no scheme where an axis allows it.
"""

import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, get_args

from wavezoo.config.options import annotations, check_options, scheme_options
from wavezoo.errors import PluginError, WavezooError, shown, under
from wavezoo.plugins.axes import AXES, Axis
from wavezoo.plugins.registry import Plugin, Registry, registry
from wavezoo.wave.scheme import Scheme

NO_SCHEME = "none"


@dataclass(frozen=True)
class SchemeSpec:
    """A scheme that was chosen by name, with checked options.

    Attributes:
        axis: its axis.
        name: its name.
        scheme: its class.
        plugin: the plugin that brought it.
        options: its options; schemes among them are specs themselves.
    """

    axis: Axis
    name: str
    scheme: type[Scheme]
    plugin: Plugin
    options: Mapping[str, Any]

    def build(self, **given: Any) -> Any:
        """Build the scheme.

        Args:
            **given: what stands before its options, ``channels`` and ``ndim``, and the options that whoever builds it
                adds, such as a field's ``initial``; what a scheme has no use for is left out.

        Raises:
            WavezooError: if the scheme refuses an option.
            PluginError: naming the plugin, if its constructor fails in another way.
        """
        known = scheme_options(self.scheme)
        options = {name: given[name] for name in self.axis.given if name in known and name in given}
        options |= self.options
        # A scheme inside another starts where that one does.
        inner = {**given, **{name: value for name, value in options.items() if name in given}}
        for name, value in options.items():
            if isinstance(value, SchemeSpec):
                options[name] = value.build(**inner)
        try:
            return self.scheme(*[given[name] for name in self.axis.built_with], **options)
        except WavezooError:
            raise
        # A plugin may raise anything, and whoever reads the message must know whose it is.
        except (Exception, SystemExit) as error:
            raise PluginError(
                f"{self.axis.singular} {self.name!r} of the plugin {self.plugin.name!r} ({self.plugin.source}) cannot "
                f"be built: {type(error).__name__}: {error}"
            ) from error


SchemeChoice = str | Mapping[str, Any] | SchemeSpec


def optional_spec(axis: Axis, choice: SchemeChoice | None, registry: Registry = registry) -> SchemeSpec | None:
    """As `scheme_spec`, but None for "none" and None on an axis that may be left empty."""
    if axis.optional and (choice is None or choice == NO_SCHEME):
        return None
    return scheme_spec(axis, choice, registry)


def scheme_spec(axis: Axis, choice: object, registry: Registry = registry) -> SchemeSpec:
    """Check what is said of a scheme, and return what builds it.

    Args:
        axis: its axis.
        choice: its name, a mapping with ``name`` and options, or what this function returned.
        registry: where the name is looked up.

    Raises:
        WavezooError: if there is no such scheme, if it has no such option or one of another type, or if one is missing.
    """
    if isinstance(choice, SchemeSpec) and choice.axis == axis:
        return choice
    name, given = _split(axis, choice)
    scheme = registry.scheme(axis.name, name)
    known, hints = scheme_options(scheme), annotations(scheme)
    what = f"option of the {axis.singular} {name}"
    inner = {}
    for option, value in given.items():
        inner_axis = _axis_of(hints.get(option))
        if inner_axis is not None and isinstance(value, (str, Mapping, SchemeSpec)):
            with under(option):
                inner[option] = scheme_spec(inner_axis, value, registry)
    options = check_options(what, {key: value for key, value in given.items() if key not in inner}, scheme, known)
    for option, default in known.items():
        if default is inspect.Parameter.empty and option not in {*given, *axis.given}:
            raise WavezooError(f"{what} {option} is missing; give the {name} as a mapping with name and {option}.")
    return SchemeSpec(axis, name, scheme, registry.owner(axis.name, name), {**options, **inner})


def _split(axis: Axis, choice: object) -> tuple[str, dict[str, Any]]:
    if isinstance(choice, str):
        return choice, {}
    if isinstance(choice, Mapping) and isinstance(choice.get("name"), str):
        return choice["name"], {str(key): value for key, value in choice.items() if key != "name"}
    hint = 'give a name, or a mapping with a name and options, such as {"name": "finite_difference", "order": 4}.'
    if isinstance(choice, axis.contract) or (inspect.isclass(choice) and issubclass(choice, axis.contract)):
        hint += " To use objects of your own, build a wavezoo.WaveOperator, or register the class in a plugin."
    raise WavezooError(f"{axis.singular} is given as {shown(choice)}; {hint}")


def _axis_of(annotation: object) -> Axis | None:
    """Return the axis whose schemes an option of this type takes."""
    for each in (annotation, *get_args(annotation)):
        if inspect.isclass(each) and issubclass(each, Scheme):
            return next((axis for axis in AXES.values() if issubclass(each, axis.contract)), None)
    return None
