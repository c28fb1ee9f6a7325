"""What there is, by kind and name, each with the plugin that brought it; built-ins come through the same hooks."""

import importlib
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Any, cast

import pluggy

from wavezoo.errors import PluginError, nearest_first, not_allowed
from wavezoo.plugins.axes import AXES, KINDS
from wavezoo.plugins.contracts import check_all
from wavezoo.plugins.hooks import HOOKS, PROJECT, SPECIFICATIONS

if TYPE_CHECKING:
    from pathlib import Path

    from wavezoo.data.entry import DatasetEntry
    from wavezoo.models.entry import ModelEntry
    from wavezoo.wave.scheme import Scheme

BUILT_IN = "wavezoo.plugins.builtin"

# By plugin and name.
Brought = dict[str, dict[str, Any]]


@dataclass(frozen=True)
class Plugin:
    """A loaded plugin: its name, and where it came from."""

    name: str
    source: str


class Registry:
    """Schemes by axis, and models, data sets, tasks and recipes, each with the plugin that brought it.

    The built-in plugin is imported, and installed ones are looked for, when something is first asked of it; a hook of
    theirs is called when something of its kind is.

    Args:
        installed: whether plugins of installed packages are loaded; see `wavezoo.plugins.loading`.
    """

    def __init__(self, installed: bool = True) -> None:
        self._manager = pluggy.PluginManager(PROJECT)
        self._manager.add_hookspecs(SPECIFICATIONS)
        self._plugins: dict[str, Plugin] = {}
        self._brought: dict[str, Brought] = {}
        self._left_out: list[PluginError] = []
        self._filled = False
        self._installed = installed

    def plugins(self) -> tuple[Plugin, ...]:
        """Return the loaded plugins, built-ins first."""
        self._fill()
        return tuple(self._plugins.values())

    def left_out(self) -> tuple[PluginError, ...]:
        """Return why each installed plugin that could not be loaded was left out."""
        self._fill()
        return tuple(self._left_out)

    def all(self, kind: str) -> dict[str, Any]:
        """Return what there is of a kind, by name: of an axis, or of ``models``, ``datasets``, ``tasks``, ``recipes``.

        Raises:
            WavezooError: if there is no such kind.
        """
        if kind not in KINDS:
            raise not_allowed("kind", kind, KINDS)
        return {name: value for brought in self._of(kind).values() for name, value in brought.items()}

    def find(self, kind: str, name: str) -> Any:
        """Return what is called ``name`` among its kind.

        Raises:
            WavezooError: if there is none; the message lists the names, nearest first.
        """
        found = self.all(kind)
        if name not in found:
            hint = "If a plugin brings it, install the plugin or name its file with --plugin."
            if self._left_out:
                hint += " Left out: " + " ".join(str(error) for error in self._left_out)
            raise not_allowed(KINDS[kind].singular, name, found, hint)
        return found[name]

    def schemes(self, axis: str) -> "dict[str, type[Scheme]]":
        """Return the schemes of ``axis`` by name.

        Raises:
            WavezooError: if there is no such axis.
        """
        if axis not in AXES:
            raise not_allowed("axis", axis, AXES)
        return self.all(axis)

    def scheme(self, axis: str, name: str) -> "type[Scheme]":
        """Return the scheme called ``name`` on ``axis``.

        Raises:
            WavezooError: if there is none; the message lists the names, nearest first.
        """
        return cast("type[Scheme]", self.find(axis, name))

    def models(self) -> "dict[str, ModelEntry]":
        """Return the models by name; timm's own are in its registry."""
        return self.all("models")

    def datasets(self) -> "dict[str, DatasetEntry]":
        """Return the data sets by name."""
        return self.all("datasets")

    def tasks(self) -> dict[str, Any]:
        """Return the tasks by name."""
        return self.all("tasks")

    def recipes(self) -> "dict[str, Path]":
        """Return the files of the recipes that plugins bring, by name."""
        return self.all("recipes")

    def owner(self, kind: str, name: str) -> Plugin:
        """Return the plugin that brought what is called ``name`` among its kind.

        Raises:
            WavezooError: if there is none.
        """
        self.find(kind, name)
        return next(self._plugins[plugin] for plugin, brought in self._of(kind).items() if name in brought)

    def brought_by(self, plugin: Plugin) -> Brought:
        """Return what a loaded plugin brought, by kind and name."""
        return {kind: self._of(kind)[plugin.name] for kind in KINDS}

    def at_fault(self, error: BaseException) -> Plugin | None:
        """Return the plugin, other than the built-in one, in whose module ``error`` was raised or passed through last.

        For whoever reports an error that nobody expected: a scheme's step runs deep inside a model.
        """
        modules = {
            getattr(value, "__module__", None): plugin
            for plugin in self.plugins()[1:]
            for brought in self.brought_by(plugin).values()
            for value in brought.values()
        }
        culprit = None
        for frame in _frames(error.__traceback__):
            culprit = modules.get(frame, culprit)
        return culprit

    def require(self, names: Iterable[str]) -> None:
        """Check that plugins are loaded, without loading any.

        Raises:
            PluginError: naming the missing plugin and the ways to get it.
        """
        loaded = {canonical(plugin.name): plugin.name for plugin in self.plugins()}
        for name in names:
            if canonical(name) not in loaded:
                names_loaded = ", ".join(nearest_first(name, loaded.values()))
                raise PluginError(
                    f"Plugin {name!r} is required and not loaded (loaded: {names_loaded}). "
                    f"Install it (pip install {name}), or name its file with --plugin."
                )

    def add(self, plugin: object, name: str, source: str) -> Plugin:
        """Register what ``plugin`` brings, all of it or nothing.

        Raises:
            PluginError: naming the plugin, if it implements no hook or an unknown one, if a hook fails, or if what it
                brings breaks its contract or has a name that is taken.
        """
        self._fill()
        return self._add(plugin, name, source)

    def replace(self, plugin: object, name: str, source: str) -> Plugin:
        """As `add`, but in place of a plugin that was added before under the same name and from the same source.

        Raises:
            PluginError: as `add`; the former plugin stays then.
        """
        self._fill()
        if self._plugins.get(name) != Plugin(name, source):
            return self._add(plugin, name, source)
        former = self._manager.get_plugin(name)
        self._remove(name)
        try:
            return self._add(plugin, name, source)
        except PluginError:
            self._add(former, name, source)
            raise

    def plugin_of(self, plugin: object) -> Plugin | None:
        """Return what is loaded from the object ``plugin``, or None if it is not registered."""
        self._fill()
        return self._plugins.get(self._manager.get_name(plugin) or "")

    @contextmanager
    def scratch(self) -> "Iterator[Registry]":
        """Forget, on leaving the block, the plugins that were added in it; for tests and examples."""
        before = {plugin.name for plugin in self.plugins()}
        try:
            yield self
        finally:
            for name in [name for name in self._plugins if name not in before]:
                self._remove(name)

    def _fill(self) -> None:
        if self._filled:
            return
        self._filled = True
        self._add(importlib.import_module(BUILT_IN), PROJECT, "built in")
        if self._installed:
            from wavezoo.plugins.loading import load_installed

            self._left_out = load_installed(self)

    def _add(self, plugin: object, name: str, source: str) -> Plugin:
        if name in self._plugins:
            raise PluginError(f"Plugin {name!r} from {source} is already loaded, from {self._plugins[name].source}.")
        before = dict(self._brought)
        try:
            self._manager.register(plugin, name)
            self._plugins[name] = Plugin(name, source)
            self._manager.check_pending()
            self._take_in(name)
        except (pluggy.PluginValidationError, ValueError) as error:
            self._plugins.pop(name, None)
            self._brought = before
            if self._manager.is_registered(plugin):
                self._manager.unregister(plugin)
            if isinstance(error, PluginError):
                raise
            raise PluginError(_explain(error, plugin, name, source)) from error
        return self._plugins[name]

    def _remove(self, name: str) -> None:
        self._manager.unregister(name=name)
        del self._plugins[name]
        self._brought.clear()

    def _take_in(self, plugin: str) -> None:
        kinds = [kind for kind in KINDS if any(each.plugin_name == plugin for each in self._implementations(kind))]
        if not kinds:
            raise PluginError(
                f"Plugin {plugin!r} implements no hook. Decorate a function called {' or '.join(HOOKS)} with "
                "@wavezoo.hookimpl."
            )
        self._brought.clear()
        # What others bring is asked for all at once, so that a plugin is registered whole or not at all.
        for kind in kinds if plugin != PROJECT else ():
            self._of(kind)

    def _of(self, kind: str) -> Brought:
        """Return what there is of a kind, by plugin and name."""
        self._fill()
        if kind not in self._brought:
            self._brought[kind] = self._collect(kind)
        return self._brought[kind]

    def _collect(self, kind: str) -> Brought:
        collected = {plugin: self._call(kind, plugin) for plugin in self._plugins}
        owners: dict[str, Plugin] = {}
        for plugin, brought in collected.items():
            for name in brought:
                if name in owners:
                    raise PluginError(
                        f"Plugin {plugin!r}: the {KINDS[kind].singular} name {name!r} is taken by the plugin "
                        f"{owners[name].name!r} ({owners[name].source}). Choose another name."
                    )
                owners[name] = self._plugins[plugin]
        return collected

    def _implementations(self, kind: str) -> list[pluggy.HookImpl]:
        return list(getattr(self._manager.hook, KINDS[kind].hook).get_hookimpls())

    def _call(self, kind: str, plugin: str) -> dict[str, Any]:
        """Call a hook for one plugin, so that it is known who brings what, and with everybody's wrappers around it."""
        hook = KINDS[kind].hook
        plain = [each for each in self._implementations(kind) if not (each.wrapper or each.hookwrapper)]
        if all(each.plugin_name != plugin for each in plain):
            return {}
        others = [each.plugin for each in plain if each.plugin_name != plugin]
        try:
            results = self._manager.subset_hook_caller(hook, others)()
        # A plugin may raise anything, and no plugin may end the process.
        except (Exception, SystemExit) as error:
            raise PluginError(f"Plugin {plugin!r}: {hook} fails: {type(error).__name__}: {error}") from error
        brought: dict[str, Any] = {}
        # Pluggy leaves out a hook's None.
        for result in results or [None]:
            brought |= check_all(KINDS[kind], result, plugin)
        return brought


def canonical(name: str) -> str:
    """Return a package's name as installers compare it."""
    return re.sub(r"[-_.]+", "-", name.strip()).lower()


def _frames(traceback: TracebackType | None) -> Iterator[str]:
    while traceback is not None:
        yield traceback.tb_frame.f_globals.get("__name__", "")
        traceback = traceback.tb_next


def _explain(error: Exception, plugin: object, name: str, source: str) -> str:
    where = f"Plugin {name!r} from {source}"
    for attribute in dir(plugin):
        marked = hasattr(getattr(plugin, attribute, None), f"{PROJECT}_impl")
        if marked and attribute not in HOOKS:
            hooks = ", ".join(nearest_first(attribute, HOOKS))
            return f"{where} implements the unknown hook {attribute!r}. Hooks: {hooks}."
    return f"{where} cannot be registered: {error}"


registry = Registry()
