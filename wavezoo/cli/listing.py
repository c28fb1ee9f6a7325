"""The names of what there is, each with its first line."""

from wavezoo.cli.shipped import shipped
from wavezoo.errors import not_allowed
from wavezoo.plugins.axes import KINDS


def list_names(kind: str, plugins: bool = True) -> list[tuple[str, str]]:
    """Return the names of a kind, each with its first line.

    Args:
        kind: an axis, or ``models``, ``datasets``, ``tasks``, ``recipes``.
        plugins: whether any plugins may be loaded. Without, nothing that takes long is imported.

    Raises:
        WavezooError: if there is no such kind.
    """
    if kind not in KINDS:
        raise not_allowed("kind", kind, KINDS)
    if kind == "recipes":
        found = _recipes(plugins)
    elif plugins:
        found = _registered(kind)
    else:
        found = _shipped_datasets() if kind == "datasets" else shipped(kind) or _registered(kind)
    return [(name, text.strip().partition("\n")[0]) for name, text in found]


def _recipes(plugins: bool) -> list[tuple[str, str]]:
    from wavezoo.config.documents import read_with_bases
    from wavezoo.config.recipe import find_recipe, recipe_files
    from wavezoo.plugins.registry import registry

    files = recipe_files() | (registry.recipes() if plugins else {})
    contents = {name: read_with_bases(file, find_recipe).content for name, file in files.items()}
    return [(name, str(content.get("description", ""))) for name, content in contents.items()]


def _shipped_datasets() -> list[tuple[str, str]]:
    from wavezoo.data.builtin import DATASETS

    return [(name, dataset.description) for name, dataset in DATASETS.items()]


def _registered(kind: str) -> list[tuple[str, str]]:
    from wavezoo.plugins.registry import registry

    if kind == "models":
        return sorted((name, model.description) for name, model in registry.models().items())
    if kind == "datasets":
        return [(name, dataset.description) for name, dataset in registry.datasets().items()]
    return [(name, each.__doc__ or "") for name, each in registry.all(kind).items()]
