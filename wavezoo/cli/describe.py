"""What there is, by name, and what each thing is, in words: read from the docstrings and facts themselves."""

import inspect
from collections.abc import Sequence
from typing import Any

from wavezoo.cli.listing import list_names
from wavezoo.config.options import scheme_options
from wavezoo.config.presets import OPERATOR_CHOICES, PRESETS
from wavezoo.config.recipe import find_recipe, recipe_files
from wavezoo.data import DatasetEntry, DataSource, Facts, ImageFacts, SequenceFacts
from wavezoo.errors import WavezooError, not_allowed
from wavezoo.models.registry import model_options
from wavezoo.plugins.axes import AXES, KINDS
from wavezoo.plugins.registry import registry
from wavezoo.wave.scheme import Scheme


def describe(name: str) -> str:
    """Return what the scheme, model, recipe, data set, task or preset called ``name`` is; all of them, if several are.

    Raises:
        WavezooError: if there is none.
    """
    texts = [_describe_scheme(axis, name) for axis in AXES if name in registry.schemes(axis)]
    if name in registry.models():
        texts.append(_describe_model(name))
    if name in recipe_files() | registry.recipes():
        path = find_recipe(name)
        texts.append(f"recipe {name}, {path}\n\n{path.read_text(encoding='utf-8').rstrip()}")
    if name in registry.datasets():
        texts.append(_describe_dataset(registry.datasets()[name]))
    if name in registry.tasks():
        texts.append(f"task {name}\n\n{inspect.getdoc(registry.tasks()[name])}")
    if name in PRESETS:
        texts.append(_describe_preset(name))
    if not texts:
        raise not_allowed("name", name, [*PRESETS, *(known for kind in KINDS for known, _ in list_names(kind))])
    return "\n\n\n".join(texts)


def _describe_scheme(axis: str, name: str) -> str:
    scheme, owner = registry.scheme(axis, name), registry.owner(axis, name)
    facts = {fact: getattr(scheme, fact) for fact in inspect.get_annotations(AXES[axis].contract)}
    facts["requires"] = ", ".join(need for need, wanted in vars(scheme.requires).items() if wanted) or "nothing"
    return (
        f"{AXES[axis].singular} {name}, from {owner.name} ({owner.source})\n\n{inspect.getdoc(scheme)}\n\n"
        f"Facts:\n{_table(facts)}\n\nOptions:\n{_table(_options(scheme)) or '  none'}"
    )


def _describe_model(name: str) -> str:
    entry, options = registry.models()[name], model_options(name) or {}
    what = "images (B, in_chans, H, W)"
    given: dict[str, Any] = {}
    if entry.kind == "language":
        what = "token ids (B, N); counted with 256 tokens"
        given = {"vocab_size": 256}
    elif entry.kind == "sequence":
        what = "sequences (B, N, in_features), or token ids (B, N); counted with in_features=1, no classes"
        given = {"in_features": 1}
    model = entry.build(**given, **({"device": "meta"} if "device" in options else {}))
    facts = {"kind": entry.kind, "input": what, "parameters": f"{sum(each.numel() for each in model.parameters()):,}"}
    if (config := getattr(model, "pretrained_cfg", None)) is not None:
        facts["input size"] = config["input_size"]
    defaults = {option: "the preset's" if option in OPERATOR_CHOICES else value for option, value in options.items()}
    return (
        f"model {name}\n\n{entry.description}\n\n{inspect.getdoc(type(model))}\n\nFacts:\n{_table(facts)}\n\n"
        f"Options and their defaults:\n{_table(defaults)}\n\nPresets:\n{_presets()}"
    )


def _describe_preset(name: str) -> str:
    preset = PRESETS[name]
    idle = (
        f"Idle as long as the others are the preset's:\n{_table(dict(preset.idle))}" if preset.idle else "None is idle."
    )
    return f"preset {name}\n\n{preset.description}\n\nChoices:\n{_table(dict(preset.choices))}\n\n{idle}"


def _presets() -> str:
    """Say what each preset is for, and which options it leaves without effect."""
    rows = {}
    for name, preset in PRESETS.items():
        idle = "".join(f"; {option} is idle: {reason}" for option, reason in preset.idle.items())
        rows[name] = f"{preset.description}{idle}"
    return _table(rows)


def _describe_dataset(entry: DatasetEntry) -> str:
    rows: dict[str, Any] = {}
    facts = _facts(entry)
    if isinstance(facts, ImageFacts):
        images = facts
        rows["samples"] = f"{images.size} x {images.size}, {images.channels} channel(s), 8 bits"
        rows["normalisation"] = f"mean {_numbers(images.mean)}, standard deviation {_numbers(images.std)}"
    elif isinstance(facts, SequenceFacts):
        elements = f"{facts.features} feature(s) each" if facts.features else "token ids"
        rows["samples"] = f"sequences of up to {facts.length} elements, {elements}"
        rows["vocabulary"] = facts.vocabulary or "none"
    else:
        rows["samples"] = "as found at data.path"
    if facts is not None:
        rows["classes"] = f"{len(facts.classes)}: {', '.join(facts.classes)}" if facts.classes else "none"
    rows["task"] = entry.task
    rows["counts"] = ", ".join(f"{split} {count:,}" for split, count in entry.counts.items()) or "as found"
    rows["columns"] = ", ".join(f"{what}: {column}" for what, column in entry.columns.items()) or "none"
    for name, option in entry.options.items():
        rows[f"data.{name}"] = f"{option.default}: {option.help}"
    return f"data set {entry.name}\n\n{entry.description}\n\n{_table(rows)}"


def _facts(entry: DatasetEntry) -> Facts | None:
    """Return the facts of a data set, None where they depend on where it is read from."""
    try:
        return entry.facts_at(DataSource())
    except WavezooError:
        return None


def _numbers(values: Sequence[float]) -> str:
    return ", ".join(f"{value:.4f}" for value in values)


def _options(scheme: type[Scheme]) -> dict[str, Any]:
    empty = inspect.Parameter.empty
    return {
        name: "given by the preset" if default is empty else default for name, default in scheme_options(scheme).items()
    }


def _table(rows: dict[str, Any]) -> str:
    width = max((len(name) for name in rows), default=0)
    return "\n".join(f"  {name:<{width}}  {value}" for name, value in rows.items())
