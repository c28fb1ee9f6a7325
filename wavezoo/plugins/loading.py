"""Plugins from installed packages, from files and modules, and from objects."""

import importlib
import importlib.metadata
import importlib.util
import inspect
import os
import re
import sys
import warnings
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

from wavezoo.errors import PluginError, PluginWarning
from wavezoo.plugins.registry import Plugin, Registry, canonical, registry

ENTRY_POINT_GROUP = "wavezoo"
# Comma-separated names of the installed plugins to load; all of them if unset, none if empty.
SELECTION_VARIABLE = "WAVEZOO_LOAD_PLUGINS"


def register(plugin: object, registry: Registry = registry) -> None:
    """Register a plugin from a notebook or a script.

    Args:
        plugin: anything with functions decorated by ``wavezoo.hookimpl``: a module, or an instance of a class.
            Registering a plugin of the same name again, as a notebook does when a cell is run again, replaces it.
        registry: where.

    Raises:
        PluginError: naming the plugin, if it cannot be registered; nothing of it is registered then.
    """
    name = plugin.__name__ if inspect.ismodule(plugin) or inspect.isclass(plugin) else type(plugin).__name__
    if inspect.isclass(plugin):
        raise PluginError(f"Plugin {name!r} is a class. Give an instance, wavezoo.register({name}()), or a module.")
    registry.replace(plugin, name, "wavezoo.register")


def load_plugin(reference: str | os.PathLike[str], registry: Registry = registry) -> Plugin:
    """Load a plugin from a Python file (a path that ends in ``.py``) or an importable module.

    A file is loaded under a module name of its own, so that one called ``wave.py`` hides no other module ``wave``.

    Args:
        reference: the file or the module.
        registry: where to register it.

    Raises:
        PluginError: naming the plugin, if it is missing, fails to import or cannot be registered.
    """
    reference = os.fspath(reference)
    path = Path(reference)
    if path.suffix == ".py":
        if not os.path.isfile(reference):
            raise PluginError(f"Plugin file {reference!r} does not exist.")
        path = path.resolve()
        source = f"file {path}"
        return registry.replace(_imported(lambda: _run(path), reference, source), path.stem, source)
    source = f"module {reference}"
    module = _imported(lambda: importlib.import_module(reference), reference, source)
    # An installed plugin may be named as a module too; it is loaded once.
    return registry.plugin_of(module) or registry.add(module, reference, source)


def load_installed(registry: Registry) -> list[PluginError]:
    """Load the plugins of installed packages; return why some were left out, after a warning for each."""
    left_out = []
    packages: set[str] = set()
    for package, version, entry_point in installed():
        source = f"package {package} {version}"
        # A package may bring several plugins; the first goes by the package's name, which recipes require.
        name = package if package not in packages else f"{package}:{entry_point.name}"
        try:
            registry.add(_imported(entry_point.load, name, source), name, source)
            packages.add(package)
        except PluginError as error:
            left_out.append(error)
            warnings.warn(str(error), PluginWarning, stacklevel=2)
    return left_out


def installed() -> Iterator[tuple[str, str, importlib.metadata.EntryPoint]]:
    """Yield package, version and entry point of the installed plugins that are to be loaded."""
    selection = os.environ.get(SELECTION_VARIABLE)
    wanted = None if selection is None else {canonical(name) for name in selection.split(",")}
    for entry_point in importlib.metadata.entry_points(group=ENTRY_POINT_GROUP):
        if entry_point.dist is not None and (wanted is None or canonical(entry_point.dist.name) in wanted):
            yield entry_point.dist.name, entry_point.dist.version, entry_point


def _run(path: Path) -> object:
    # In sys.modules, so that the classes it defines can be pickled, and by a name that nothing else has.
    name = f"_wavezoo_plugin_{re.sub(r'[^0-9a-zA-Z]', '_', path.stem)}_{zlib.crc32(str(path).encode()):08x}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path} cannot be imported")
    module = importlib.util.module_from_spec(spec)
    former = sys.modules.get(name)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        if former is not None:
            sys.modules[name] = former
        raise
    return module


def _imported(load: Callable[[], object], name: str, source: str) -> object:
    try:
        return load()
    # A plugin's module may raise anything while it is imported, and no plugin may end the process.
    except (Exception, SystemExit) as error:
        raise PluginError(f"Plugin {name!r} from {source} fails to import: {type(error).__name__}: {error}") from error
