"""The model, the task and the data that a recipe names."""

import inspect
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor, nn

from wavezoo.config.presets import PRESETS
from wavezoo.config.recipe import DataSection, Recipe
from wavezoo.data import DatasetEntry, DataSource, Facts, ImageFacts, SequenceFacts, TextFacts
from wavezoo.errors import WavezooError, not_allowed
from wavezoo.models.entry import SEQUENTIAL, Kind
from wavezoo.models.registry import check_model_options, create_model, find_model, names_of_kind, takes_image_size
from wavezoo.plugins.registry import registry
from wavezoo.tasks.base import Task
from wavezoo.train.loaders import sequence_facts

# What a recipe's augmentation says and a task does, since it concerns the targets too.
OF_TARGETS = ("mixup", "cutmix", "label_smoothing")


def find_data(name: str) -> DatasetEntry:
    """Return the data set called ``name``.

    Raises:
        WavezooError: if there is none.
    """
    if name not in (known := registry.datasets()):
        raise not_allowed("data set", name, known, "`wavezoo list datasets` describes them.")
    return known[name]


def data_source(data: DataSection) -> DataSource:
    """Return where a recipe's data are found."""
    return DataSource(
        data.path, data.limit_samples, data.partial, data.validation, data.seed, data.columns, data.options
    )


def build_task(recipe: Recipe, facts: Facts) -> Task:
    """Return what the model is to do: the recipe's task, or the data set's.

    Raises:
        WavezooError: if there is no such task, or if it does not take an option, an augmentation or these data.
    """
    registry.require(recipe.plugins)
    name = find_data(recipe.data.name).task if recipe.task is None else recipe.task.name
    options = {} if recipe.task is None else recipe.task.options
    kind: type[Task] = registry.find("tasks", name)
    taken = [each.name for each in inspect.signature(kind).parameters.values() if each.kind is each.KEYWORD_ONLY]
    for option in options:
        if option not in taken or option in OF_TARGETS:
            raise not_allowed(f"option of the task {name}", option, [each for each in taken if each not in OF_TARGETS])
    for option in OF_TARGETS:
        value = getattr(recipe.augmentation, option)
        if option in taken:
            options[option] = value
        elif value:
            raise WavezooError(f"augmentation.{option} is {value}, which the task {name} does not take. Leave it out.")
    return kind(facts, **options)


def task_name(recipe: Recipe) -> str:
    """Return the name of the task that `build_task` builds."""
    return find_data(recipe.data.name).task if recipe.task is None else recipe.task.name


def build_model(recipe: Recipe, facts: Facts, task: Task) -> nn.Module:
    """Build the model of ``recipe`` for a task on data with these facts, with fresh weights.

    Raises:
        WavezooError: if the model, a scheme or an option is unknown or cannot work, or if data or task do not fit it.
    """
    registry.require(recipe.plugins)
    with recipe.located("model"):
        name = recipe.model.name
        given = _given(recipe, facts, task)
        options = check_model_options(name, recipe.model.options, [*given, "device", "dtype"])
        try:
            model = create_model(name, **given, **options)
        except WavezooError:
            raise
        except TypeError as error:
            raise WavezooError(f"{error}. `wavezoo describe {name}` shows what it takes.") from error
        except Exception as error:
            if name in registry.models():
                raise
            raise WavezooError(f"{name} cannot be built with {options or 'its defaults'}: {error}.") from error
        if name not in registry.models():
            _check_outputs(model, recipe, facts, task)
    return model


def physical_parameters(model: nn.Module) -> Iterator[nn.Parameter]:
    """Return the parameters that modules of ``model`` declare to be physical: time steps, and those of schemes."""
    for module in model.modules():
        declared: Callable[[], Iterator[nn.Parameter]] | None = getattr(module, "physical_parameters", None)
        if declared is not None:
            yield from declared()


def grid_outputs(name: str, task: Task) -> Callable[[Tensor], Tensor]:
    """Return what brings a model's outputs into the order of a task, ``(B, K, *G)``."""
    if find_model(name).kind in SEQUENTIAL and task.target != "class":
        return lambda outputs: outputs.mT
    return lambda outputs: outputs


def _given(recipe: Recipe, facts: Facts, task: Task) -> dict[str, Any]:
    """Return the keyword arguments that follow from data and task."""
    name = recipe.model.name
    given: dict[str, Any] = {"num_classes": task.outputs}
    entry = find_model(name)
    if entry.kind == "language":
        if not isinstance(facts, TextFacts):
            raise WavezooError(f"{name} continues texts, and {recipe.data.name} is no text. Use another model.")
        return {"vocab_size": facts.vocabulary}
    if entry.kind == "sequence":
        sequences = sequence_facts(facts)
        several_lengths = isinstance(facts, SequenceFacts) and facts.vocabulary is not None
        if several_lengths and recipe.model.options.get("norm") == "batch":
            raise WavezooError(
                f"the sequences of {recipe.data.name} are of several lengths, on which batch norm cannot be trained. "
                "Set model.norm to layer."
            )
        chosen = recipe.model.options
        far = PRESETS.get(chosen.get("preset", ""))
        if far is not None and far.reaches_far and not {"reach", "steps", "mixer"} & set(chosen):
            given["reach"] = max(sequences.length / 2, 1.0)
        pooled: dict[str, Any] = {} if task.target == "class" else {"global_pool": ""}
        if task.target == "next_token":
            # Whatever sees the next token need not predict it.
            given["causal"] = True
        return given | pooled | {"in_features": sequences.features, "vocab_size": sequences.vocabulary}
    if not isinstance(facts, ImageFacts):
        raise WavezooError(
            f"{name} is a model for images, and {recipe.data.name} is a set of sequences. Use one of "
            f"{', '.join(names_of_kind('sequence'))}."
        )
    if (entry.kind == "dense") == (task.target == "class"):
        wanted: Kind = "image" if task.target == "class" else "dense"
        raise WavezooError(
            f"{name} is {_what(entry.kind)}, and this task needs {_what(wanted)}. Use one such as "
            f"{', '.join(names_of_kind(wanted))}."
        )
    given["in_chans"] = facts.channels
    if takes_image_size(name):
        given["img_size"] = facts.size
    return given


def _what(kind: Kind) -> str:
    return {"dense": "a model that says something of every pixel"}.get(kind, "a model that says one thing of an image")


def check_recipe(recipe: Recipe) -> None:
    """Raise WavezooError if data, task or model of ``recipe`` cannot be found or built; nothing is written."""
    entry = find_data(recipe.data.name)
    facts = entry.facts_at(data_source(recipe.data))
    with torch.random.fork_rng(devices=[]):
        build_model(recipe, facts, build_task(recipe, facts))


@torch.no_grad()
def _check_outputs(model: nn.Module, recipe: Recipe, facts: Facts, task: Task) -> None:
    """Try a model that is not wavezoo's on one sample."""
    if not isinstance(facts, ImageFacts):
        return
    expected = (1, task.outputs, *(() if task.target == "class" else facts.grid))
    images = torch.zeros(1, facts.channels, facts.size, facts.size)
    try:
        found = tuple(model.eval()(images).shape)
    except Exception as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise WavezooError(
            f"{recipe.model.name} cannot take images of {facts.size} x {facts.size} pixels: {reason}."
        ) from error
    finally:
        model.train()
    if found != expected:
        raise WavezooError(f"{recipe.model.name} returns {found} for one image; the task needs {expected}.")
