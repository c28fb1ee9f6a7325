"""What models there are: ours and those of plugins by name, and every model that timm has."""

import functools
import inspect
from collections.abc import Iterable, Mapping
from typing import Any, cast

import timm
from torch import nn

from wavezoo.config.options import check_options
from wavezoo.config.presets import OPERATOR_CHOICES
from wavezoo.config.spec import with_schemes
from wavezoo.errors import WavezooError, not_allowed, under
from wavezoo.models.entry import Kind, ModelEntry
from wavezoo.models.language import WavePDELanguage
from wavezoo.models.sequence import WavePDESequence
from wavezoo.plugins.registry import Registry, registry


def find_model(name: str, registry: Registry = registry) -> ModelEntry:
    """Return the model called ``name``: one of ours, of a plugin, or any that is registered with timm.

    Args:
        name: its name.
        registry: where to look first.

    Raises:
        WavezooError: if there is none.
    """
    models = registry.models()
    if name in models:
        return models[name]
    if isinstance(name, str) and timm.is_model(name):
        entry_point = timm.model_entrypoint(name)
        description = (entry_point.__doc__ or f"{name}, timm's").strip()
        return ModelEntry(functools.partial(timm.create_model, name), "image", description, entry_point)
    names = [*models, *timm.list_models()]
    with under("name"):
        raise not_allowed("model", name, names, "`wavezoo list models` describes ours; any model of timm's works too.")


def create_model(name: str, registry: Registry = registry, **kwargs: Any) -> nn.Module:
    """Build a model by name.

    Args:
        name: its name, see `find_model`.
        registry: where to look first.
        **kwargs: the model's keyword arguments, see `wavezoo.models.entry.ModelEntry`.

    Raises:
        WavezooError: if there is no such model, or if an argument cannot work.
        TypeError: for an unknown keyword.
    """
    return find_model(name, registry).build(**kwargs)


def create_sequence_model(name: str, **kwargs: Any) -> WavePDESequence:
    """Build a sequence model by name.

    Args:
        name: one of those that ``wavezoo list models`` shows with ``seq``.
        **kwargs: the arguments of `WavePDESequence`; in place of the model's own ``depth`` and ``dim`` too.

    Raises:
        WavezooError: if there is no such model, or if an argument cannot work.
        TypeError: for an unknown keyword.
    """
    known = names_of_kind("sequence")
    if name not in known:
        raise not_allowed("sequence model", name, known, "Image models are built by timm.create_model.")
    return cast(WavePDESequence, create_model(name, **kwargs))


def create_language_model(name: str, vocab_size: int, **kwargs: Any) -> WavePDELanguage:
    """Build a language model by name.

    Args:
        name: one of those that ``wavezoo list models`` shows with ``lm``.
        vocab_size: number of tokens.
        **kwargs: the arguments of `WavePDELanguage`; in place of the model's own ``depth`` and ``dim`` too.

    Raises:
        WavezooError: if there is no such model, or if an argument cannot work.
        TypeError: for an unknown keyword.
    """
    known = names_of_kind("language")
    if name not in known:
        raise not_allowed("language model", name, known, "Others are built by create_sequence_model.")
    return cast(WavePDELanguage, create_model(name, vocab_size=vocab_size, **kwargs))


def names_of_kind(kind: Kind, registry: Registry = registry) -> list[str]:
    """Return the names of our models of a kind, and of those that plugins bring; timm's own are left out."""
    return [name for name, entry in registry.models().items() if entry.kind == kind]


def model_options(name: str, registry: Registry = registry) -> dict[str, Any] | None:
    """Return a model's keyword arguments and their defaults, or None if they cannot be told, as of timm's own models.

    Those of a wave operator have the default None: the preset's.

    Raises:
        WavezooError: if there is no such model.
    """
    entry = find_model(name, registry)
    parameters = inspect.signature(entry.constructor or entry.build).parameters.values()
    if name not in registry.models():
        return None
    options = {each.name: each.default for each in parameters if each.kind is not each.VAR_KEYWORD}
    if _takes_operator(entry):
        options |= {choice: None for choice in OPERATOR_CHOICES if choice not in options}
    return options


def check_model_options(
    name: str, options: Mapping[str, Any], reserved: Iterable[str] = (), registry: Registry = registry
) -> dict[str, Any]:
    """Check keyword arguments for the model called ``name`` before they are used.

    Args:
        name: the model.
        options: its keyword arguments.
        reserved: arguments that follow from the data and are not to be given.
        registry: where to look first.

    Returns:
        The options, with NumPy's numbers as Python's and schemes as checked specs.

    Raises:
        WavezooError: naming the first option that is unknown, reserved or of the wrong type, and schemes that there are
            not.
    """
    known = model_options(name, registry)
    for option in reserved:
        if option in options:
            with under(option):
                raise WavezooError(f"{option} follows from the data set. Leave it out.")
    if known is None:
        return dict(options)
    entry = find_model(name, registry)
    checked = check_options("model option", options, entry.constructor or entry.build, [*known])
    return with_schemes(checked, registry) if _takes_operator(entry) else checked


def takes_image_size(name: str, registry: Registry = registry) -> bool:
    """Return whether a model has to be told the size of its images by ``img_size``.

    Raises:
        WavezooError: if there is no such model.
    """
    known = model_options(name, registry)
    if known is not None:
        return "img_size" in known
    return bool(timm.get_pretrained_cfg_value(name, "fixed_input_size"))


def _takes_operator(entry: ModelEntry) -> bool:
    parameters = inspect.signature(entry.constructor or entry.build).parameters
    return "preset" in parameters and any(each.kind is each.VAR_KEYWORD for each in parameters.values())
