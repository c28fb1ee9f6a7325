"""Where schemes come from: built-ins, installed packages, files and objects, all through the same hooks."""

import importlib
import importlib.metadata
import importlib.util
import inspect
import os
import re
import sys
import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pluggy

from wavezoo.errors import PluginError, PluginWarning, nearest_first, not_allowed
from wavezoo.mixers.base import Mixer
from wavezoo.plugins import builtin
from wavezoo.plugins import hooks as hookspecs
from wavezoo.wave.damping.base import Damping
from wavezoo.wave.drifts.base import Drift
from wavezoo.wave.fields.base import ParameterField
from wavezoo.wave.integrators.base import Integrator
from wavezoo.wave.laplacians.base import Laplacian
from wavezoo.wave.potentials.base import Potential
from wavezoo.wave.scheme import Scheme

CONTRACTS: dict[str, type[Scheme]] = {
    "laplacians": Laplacian,
    "integrators": Integrator,
    "fields": ParameterField,
    "damping": Damping,
    "potentials": Potential,
    "drifts": Drift,
    "mixers": Mixer,
}
AXES = tuple(CONTRACTS)
ENTRY_POINT_GROUP = "wavezoo"
# Comma-separated names of the installed plugins to load; all of them if unset, none if empty.
SELECTION_VARIABLE = "WAVEZOO_LOAD_PLUGINS"


@dataclass(frozen=True)
class Plugin:
    """A loaded plugin: its name, where it came from, and the schemes it brought, by axis."""

    name: str
    source: str
    schemes: Mapping[str, Mapping[str, type[Scheme]]]


class Registry:
    """Schemes by axis and name, each with the plugin that brought it."""

    def __init__(self) -> None:
        self._manager = pluggy.PluginManager(hookspecs.PROJECT)
        self._manager.add_hookspecs(hookspecs)
        self._plugins: dict[str, Plugin] = {}
        self._left_out: list[PluginError] = []
        self._installed_loaded = False
        self.add(builtin, "wavezoo", "built in")

    def plugins(self) -> tuple[Plugin, ...]:
        """Return the loaded plugins, built-ins first."""
        self._load_installed()
        return tuple(self._plugins.values())

    def left_out(self) -> tuple[PluginError, ...]:
        """Return why each installed plugin that could not be loaded was left out."""
        self._load_installed()
        return tuple(self._left_out)

    def schemes(self, axis: str) -> dict[str, type[Scheme]]:
        """Return the schemes of ``axis`` by name.

        Raises:
            WavezooError: if there is no such axis.
        """
        if axis not in CONTRACTS:
            raise not_allowed("axis", axis, AXES)
        return {name: scheme for plugin in self.plugins() for name, scheme in plugin.schemes[axis].items()}

    def scheme(self, axis: str, name: str) -> type[Scheme]:
        """Return the scheme called ``name`` on ``axis``.

        Raises:
            WavezooError: if there is none; the message lists the names, nearest first.
        """
        schemes = self.schemes(axis)
        if name not in schemes:
            hint = "If a plugin brings it, install the plugin or name its file with --plugin."
            if self._left_out:
                hint += " Left out: " + " ".join(str(error) for error in self._left_out)
            raise not_allowed(axis.removesuffix("s"), name, schemes, hint)
        return schemes[name]

    def owner(self, axis: str, name: str) -> Plugin:
        """Return the plugin that brought the scheme called ``name``.

        Raises:
            WavezooError: if there is none.
        """
        self.scheme(axis, name)
        return next(plugin for plugin in self.plugins() if name in plugin.schemes[axis])

    def require(self, names: Iterable[str]) -> None:
        """Check that plugins are loaded, without loading any.

        Raises:
            PluginError: naming the missing plugin and the ways to get it.
        """
        loaded = {_canonical(plugin.name): plugin.name for plugin in self.plugins()}
        for name in names:
            if _canonical(name) not in loaded:
                names_loaded = ", ".join(nearest_first(name, loaded.values()))
                raise PluginError(
                    f"Plugin {name!r} is required and not loaded (loaded: {names_loaded}). "
                    f"Install it (pip install {name}), or name its file with --plugin."
                )

    def add(self, plugin: object, name: str, source: str) -> Plugin:
        """Register ``plugin``'s schemes, all or none of them.

        Raises:
            PluginError: naming the plugin, if it implements no hook or an unknown one, if a hook fails, or if a scheme
                breaks its contract or has a name that is taken.
        """
        if name in self._plugins:
            raise PluginError(f"Plugin {name!r} from {source} is already loaded, from {self._plugins[name].source}.")
        try:
            self._manager.register(plugin, name)
            self._manager.check_pending()
            loaded = Plugin(name, source, self._collect(plugin, name))
        except (pluggy.PluginValidationError, ValueError) as error:
            self._remove(plugin)
            if isinstance(error, PluginError):
                raise
            raise PluginError(_explain(error, plugin, name, source)) from error
        self._plugins[name] = loaded
        return loaded

    def find(self, plugin: object) -> Plugin | None:
        """Return what is loaded from the object ``plugin``, or None if it is not registered."""
        name = self._manager.get_name(plugin)
        return self._plugins.get(name) if name is not None else None

    def replace(self, plugin: object, name: str, source: str) -> Plugin:
        """As `add`, but in place of a plugin that was added before under the same name and from the same source."""
        before = self._plugins.get(name)
        if before is None or before.source != source:
            return self.add(plugin, name, source)
        former = self._manager.get_plugin(name)
        del self._plugins[name]
        self._remove(former)
        try:
            return self.add(plugin, name, source)
        except PluginError:
            self._manager.register(former, name)
            self._plugins[name] = before
            raise

    def _remove(self, plugin: object) -> None:
        if self._manager.is_registered(plugin):
            self._manager.unregister(plugin)

    def _collect(self, plugin: object, name: str) -> dict[str, dict[str, type[Scheme]]]:
        collected: dict[str, dict[str, type[Scheme]]] = {axis: {} for axis in AXES}
        implemented = False
        for axis in AXES:
            for implementation in getattr(self._manager.hook, f"wavezoo_{axis}").get_hookimpls():
                if implementation.plugin is plugin:
                    implemented = True
                    collected[axis].update(_call(implementation, axis, name))
        if not implemented:
            raise PluginError(
                f"Plugin {name!r} implements no hook. Decorate a function called "
                f"{' or '.join(f'wavezoo_{axis}' for axis in AXES)} with @wavezoo.hookimpl."
            )
        for axis, schemes in collected.items():
            for scheme_name, scheme in schemes.items():
                _check_contract(axis, scheme_name, scheme, name)
                for other in self._plugins.values():
                    if scheme_name in other.schemes[axis]:
                        raise PluginError(
                            f"Plugin {name!r}: the {axis.removesuffix('s')} name {scheme_name!r} is taken by the "
                            f"plugin {other.name!r} ({other.source}). Choose another name."
                        )
        return collected

    def _load_installed(self) -> None:
        if self._installed_loaded:
            return
        self._installed_loaded = True
        selection = os.environ.get(SELECTION_VARIABLE)
        wanted = None if selection is None else {_canonical(name) for name in selection.split(",")}
        for entry_point in importlib.metadata.entry_points(group=ENTRY_POINT_GROUP):
            if entry_point.dist is None or (wanted is not None and _canonical(entry_point.dist.name) not in wanted):
                continue
            package = entry_point.dist.name
            source = f"package {package} {entry_point.dist.version}"
            # A package may bring several plugins; the first goes by the package's name, which recipes require.
            name = package if package not in self._plugins else f"{package}:{entry_point.name}"
            try:
                self.add(_import(entry_point.load, name, source), name, source)
            except PluginError as error:
                self._left_out.append(error)
                warnings.warn(str(error), PluginWarning, stacklevel=2)


def register(plugin: object) -> None:
    """Register a plugin from a notebook or a script.

    Args:
        plugin: anything with functions decorated by ``wavezoo.hookimpl``: a module, or an instance of a class.
            Registering a plugin of the same name again, as a notebook does when a cell is run again, replaces it.

    Raises:
        PluginError: naming the plugin, if it cannot be registered; nothing of it is registered then.
    """
    name = plugin.__name__ if inspect.ismodule(plugin) or inspect.isclass(plugin) else type(plugin).__name__
    if inspect.isclass(plugin):
        raise PluginError(f"Plugin {name!r} is a class. Give an instance, wavezoo.register({name}()), or a module.")
    registry.replace(plugin, name, "wavezoo.register")


def load(reference: str) -> Plugin:
    """Load a plugin from a Python file (a path that ends in ``.py``) or an importable module.

    Raises:
        PluginError: naming the plugin, if it is missing, fails to import or cannot be registered.
    """
    path = Path(reference)
    if path.suffix == ".py":
        if not path.is_file():
            raise PluginError(f"Plugin file {reference!r} does not exist.")
        path = path.resolve()
        return registry.replace(_import(lambda: _run(path), reference, f"file {path}"), path.stem, f"file {path}")
    source = f"module {reference}"
    module = _import(lambda: importlib.import_module(reference), reference, source)
    registry.plugins()
    # An installed plugin may be named as a module too; it is loaded once.
    return registry.find(module) or registry.add(module, reference, source)


def _canonical(name: str) -> str:
    """Return a package's name as installers compare it."""
    return re.sub(r"[-_.]+", "-", name.strip()).lower()


def _run(path: Path) -> object:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path} cannot be imported")
    module = importlib.util.module_from_spec(spec)
    # Under its name in sys.modules, so that the classes it defines can be pickled; never over someone else's.
    former = sys.modules.get(path.stem)
    if former is not None and getattr(former, "__file__", None) != str(path):
        raise ImportError(f"the module name {path.stem!r} is taken by {former!r}; rename the file")
    sys.modules[path.stem] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[path.stem]
        raise
    return module


def _import(load_plugin: Any, name: str, source: str) -> object:
    try:
        return load_plugin()
    # A plugin's module may raise anything while it is imported.
    except (Exception, SystemExit) as error:
        raise PluginError(f"Plugin {name!r} from {source} fails to import: {type(error).__name__}: {error}") from error


def _call(implementation: pluggy.HookImpl, axis: str, plugin: str) -> Mapping[str, type[Scheme]]:
    hook = f"wavezoo_{axis}"
    try:
        schemes = implementation.function()
    except Exception as error:
        raise PluginError(f"Plugin {plugin!r}: {hook} fails: {type(error).__name__}: {error}") from error
    if not isinstance(schemes, Mapping) or not all(isinstance(name, str) for name in schemes):
        raise PluginError(f"Plugin {plugin!r}: {hook} returns {schemes!r}; return a dict from names to classes.")
    return schemes


def _check_contract(axis: str, name: str, scheme: object, plugin: str) -> None:
    contract = CONTRACTS[axis]
    where = f"Plugin {plugin!r}: {axis.removesuffix('s')} {name!r}"
    if not (inspect.isclass(scheme) and issubclass(scheme, contract)):
        raise PluginError(f"{where} is {scheme!r}; it must be a subclass of wavezoo.{contract.__name__}.")
    if missing := sorted(getattr(scheme, "__abstractmethods__", ())):
        raise PluginError(f"{where} does not implement {', '.join(missing)} of wavezoo.{contract.__name__}.")
    facts = [fact for fact in inspect.get_annotations(contract) if not hasattr(scheme, fact)]
    if facts:
        raise PluginError(f"{where} does not declare {', '.join(facts)}; set them as class attributes.")
    if not scheme.__doc__:
        raise PluginError(f"{where} has no docstring; `wavezoo describe {name}` would have nothing to show.")


def _explain(error: Exception, plugin: object, name: str, source: str) -> str:
    known = [f"wavezoo_{axis}" for axis in AXES]
    where = f"Plugin {name!r} from {source}"
    for attribute in dir(plugin):
        marked = hasattr(getattr(plugin, attribute, None), f"{hookspecs.PROJECT}_impl")
        if marked and attribute not in known:
            hooks = ", ".join(nearest_first(attribute, known))
            return f"{where} implements the unknown hook {attribute!r}. Hooks: {hooks}."
    return f"{where} cannot be registered: {error}"


registry = Registry()
