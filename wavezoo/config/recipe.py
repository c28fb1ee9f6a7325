"""Recipes: what a YAML file may say, checked once, with file, line and key in every error."""

import reprlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, ValidationError, field_validator, model_validator

from wavezoo.config.documents import Document, KeyPath, dump, overridden, parse, read_with_bases
from wavezoo.errors import WavezooError, nearest_first, not_allowed
from wavezoo.files import find_file, is_file
from wavezoo.plugins.registry import registry

Precision = Literal["fp32", "bf16", "fp16"]
Fraction = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
NonNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Count = Annotated[int, Field(ge=1, le=2**48)]
Seed = Annotated[int, Field(ge=0, lt=2**32)]
# Part of a path: the run folder is called after it.
Name = Annotated[str, Field(pattern=r"^[^./\\:\x00-\x1f][^/\\:\x00-\x1f]*$", max_length=100)]

FORMAT = 1
# Beside the recipes lie comparisons, which are none.
COMPARISONS = "comparisons"
BUDGETS = ("epochs", "steps", "samples")
# Keys of older recipes, and what says the same now.
MOVED: dict[KeyPath, str] = {
    ("model", "options"): "write its keys directly under model, such as model.drop_path_rate",
    ("model", "schemes"): "write its keys directly under model, such as model.integrator",
    ("tensorboard",): "say logger: tensorboard",
}


class Section(BaseModel):
    """A part of a recipe; unknown keys are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class OpenSection(Section):
    """A part of a recipe with a name; keys of its own are options of what is named, checked where that is built."""

    model_config = ConfigDict(extra="allow", frozen=True)

    name: str

    @property
    def options(self) -> dict[str, Any]:
        """The options of what is named."""
        return dict(self.model_extra or {})


class ModelSection(OpenSection):
    """A model by its name; all other keys are keyword arguments for it."""


class TaskSection(OpenSection):
    """What the model is to do, by name; all other keys are options of the task."""


class DataSection(OpenSection):
    """A data set by name, a local copy of it, and how it is read; all other keys are options of the data set.

    ``validation`` holds back a part of the training samples, drawn by ``seed``, where the data set has no validation
    split.
    """

    path: str | None = None
    partial: bool = False
    columns: dict[str, str] = {}
    limit_samples: Count | None = None
    validation: Annotated[float, Field(ge=0, lt=1)] = 0.0
    seed: Annotated[int, Field(ge=0, lt=2**63)] = 0
    workers: Annotated[int, Field(ge=0, le=1024)] = 0


class AugmentationSection(Section):
    """What is done to training samples; all off by default. ``shift`` is for sequences, the rest for images."""

    shift: Annotated[int, Field(ge=0, le=2**31)] = 0
    crop_padding: Annotated[int, Field(ge=0, le=2**15)] = 0
    horizontal_flip: Fraction = 0.0
    rand_augment: str | None = None
    random_erasing: Fraction = 0.0
    mixup: NonNegative = 0.0
    cutmix: NonNegative = 0.0
    label_smoothing: Fraction = 0.0


class OptimizerSection(Section):
    """One of timm's optimisers.

    Physical parameters (time steps, and those of the schemes) have no weight decay and the learning rate
    ``physics_lr``, that of the others if it is left out.
    """

    name: str = "adamw"
    lr: Positive = 1e-3
    physics_lr: Positive | None = None
    weight_decay: NonNegative = 0.05
    clip_grad: Positive | None = 1.0
    accumulate: Count = 1


class ScheduleSection(Section):
    """One of timm's schedules of the learning rate, stepped after every update; ``constant`` for none.

    The warm-up, in epochs or in updates, is part of the budget. ``min_lr`` is that of ``optimizer.lr``; a learning rate
    of the physics follows in proportion.
    """

    name: Literal["cosine", "tanh", "poly", "constant"] = "cosine"
    warmup_epochs: NonNegative = 0.0
    warmup_steps: Annotated[int, Field(ge=0, le=2**48)] = 0
    min_lr: NonNegative = 0.0


class EvaluationSection(Section):
    """When the model is tested, and when that ends the training: after ``patience`` evaluations without a new best.

    After every ``every_epochs`` epochs or, if that is given, ``every_steps`` updates; and at the end.
    """

    every_epochs: Count = 1
    every_steps: Count | None = None
    patience: Count | None = None


class Recipe(Section):
    """All that a training run depends on.

    The budget is one of ``epochs``, ``steps`` (updates of the weights) and ``samples`` (seen in training, by all
    processes). ``batch_size`` is that of each process; ``ema`` the decay of a moving average of the weights, which is
    then what is tested and saved. ``init`` names the run
    folder whose last weights the model starts with, in place of fresh ones: all of them, of a model of the same shape.
    """

    format: Annotated[int, Field(ge=FORMAT, le=FORMAT)] = FORMAT
    name: Name
    description: str = ""
    model: ModelSection
    task: TaskSection | None = None
    data: DataSection
    augmentation: AugmentationSection = AugmentationSection()
    optimizer: OptimizerSection = OptimizerSection()
    schedule: ScheduleSection = ScheduleSection()
    evaluation: EvaluationSection = EvaluationSection()
    epochs: Count | None = None
    steps: Count | None = None
    samples: Count | None = None
    batch_size: Count
    init: str | None = None
    seed: Seed = 0
    precision: Precision = "fp32"
    ema: Annotated[float, Field(gt=0, lt=1)] | None = None
    compile: bool = False
    channels_last: bool = False
    fsdp: bool = False
    logger: str | None = None
    save_every_minutes: Positive = 10.0
    plugins: tuple[str, ...] = ()

    _places: dict[KeyPath, str] = PrivateAttr(default_factory=dict)

    def __eq__(self, other: object) -> bool:
        # Where something was said is no part of what was said.
        return isinstance(other, Recipe) and self.model_dump() == other.model_dump()

    def place(self, *keys: str) -> str:
        """Return where ``keys``, outermost first, or the section that they belong to, was said: file and line."""
        known = (self._places[keys[:end]] for end in range(len(keys), 0, -1) if keys[:end] in self._places)
        return next(known, f"recipe {self.name}")

    @contextmanager
    def located(self, *keys: str) -> Iterator[None]:
        """Say of what is raised inside where the recipe says it: below ``keys``, outermost first.

        Raises:
            WavezooError: what was raised, with file, line and key before it.
        """
        try:
            yield
        except WavezooError as error:
            where = (*keys, *error.keys)
            raise WavezooError(f"{self.place(*where)}: {'.'.join(where)}: {error}") from error

    @field_validator("task", mode="before")
    @classmethod
    def _task_by_name(cls, task: Any) -> Any:
        return {"name": task} if isinstance(task, str) else task

    @model_validator(mode="after")
    def _one_budget(self) -> "Recipe":
        given = [f"{name} is {value}" for name in BUDGETS if (value := getattr(self, name)) is not None]
        if len(given) != 1:
            said = " and ".join(given) or "none is given"
            raise ValueError(f"give exactly one of {', '.join(BUDGETS)}; {said}. Set the others to null")
        if self.schedule.warmup_epochs and self.schedule.warmup_steps:
            raise ValueError("give schedule.warmup_epochs or schedule.warmup_steps, not both")
        return self

    @model_validator(mode="after")
    def _mixing_needs_pairs(self) -> "Recipe":
        if (self.augmentation.mixup or self.augmentation.cutmix) and self.batch_size % 2:
            raise ValueError(f"batch_size is {self.batch_size}; mixup and cutmix pair images and need an even one")
        return self


def recipe_folder() -> Path:
    """Return the folder with the recipes that come with wavezoo."""
    package = Path(str(files("wavezoo")))
    # An editable install leaves the recipes where they lie in the source tree, beside the package.
    return package / "recipes" if (package / "recipes").is_dir() else package.parent / "recipes"


def recipe_files() -> dict[str, Path]:
    """Return the files of the recipes that come with wavezoo, by name."""
    found = (path for path in recipe_folder().rglob("*.yaml") if path.parent.name != COMPARISONS)
    return {path.stem: path for path in sorted(found, key=lambda path: path.stem)}


def recipe_names() -> list[str]:
    """Return the names of the recipes that come with wavezoo."""
    return list(recipe_files())


def find_recipe(reference: str) -> Path:
    """Return the file of a recipe given by path or by name.

    Raises:
        WavezooError: if there is neither such a file nor such a name.
    """
    if reference.endswith((".yaml", ".yml")) or is_file(reference):
        return find_file(reference, "recipe file")
    found = recipe_files()
    if reference not in found:
        # Plugins are loaded only where one may be meant.
        found |= registry.recipes()
    if reference not in found:
        raise not_allowed("recipe", reference, found, "Or give the path of a .yaml file.")
    return found[reference]


def load_recipe(path: Path, overrides: Sequence[str] = ()) -> Recipe:
    """Read and check a recipe.

    A recipe with ``base``, the name or the path of another, starts from that one; its own keys win.

    Args:
        path: the YAML file.
        overrides: ``key=value`` with dots between nested keys, such as ``optimizer.lr=1e-3``; checked like the file.

    Raises:
        WavezooError: naming file, line and key of everything that is wrong, and the nearest known key.
    """
    return _checked(overridden(read_with_bases(path, find_recipe), overrides), path)


def load_recipe_text(text: str, path: Path) -> Recipe:
    """Check a recipe that `dump_recipe` returned and that was kept in ``path``.

    Raises:
        WavezooError: if it is no recipe.
    """
    return _checked(parse(text, str(path)), path)


def dump_recipe(recipe: Recipe) -> str:
    """Return ``recipe`` as YAML, defaults included."""
    return dump(recipe.model_dump(mode="json"))


def with_overrides(recipe: Recipe, overrides: Sequence[str]) -> Recipe:
    """Return ``recipe`` with ``key=value`` in place of some of its own, checked as `load_recipe` does."""
    document = overridden(Document(recipe.model_dump(mode="json"), recipe._places), overrides)
    return _checked(document, Path(recipe.name))


def _checked(document: Document, path: Path) -> Recipe:
    _refuse_moved(document, path)
    try:
        recipe = Recipe.model_validate(document.content)
        recipe._places.update(document.places)
    except ValidationError as error:
        raise WavezooError("\n".join(_explain(each, document.places, path) for each in error.errors())) from None
    _check_data_options(recipe.data, document.places, path)
    return recipe


def _check_data_options(data: DataSection, places: Mapping[KeyPath, str], path: Path) -> None:
    # Nothing is known of a data set whose plugin is loaded later; it is asked when it is read.
    if not data.options or (entry := registry.datasets().get(data.name)) is None:
        return
    for name, value in data.options.items():
        try:
            entry.option(name, value)
        except WavezooError as error:
            raise WavezooError(f"{places.get(('data', name), path)}: {error}") from None


def _refuse_moved(document: Document, path: Path) -> None:
    for key_path, now in MOVED.items():
        section = document.content
        for key in key_path:
            section = section.get(key) if isinstance(section, Mapping) else None
        if section is not None:
            places = (place for key, place in document.places.items() if key[: len(key_path)] == key_path)
            dotted = ".".join(map(str, key_path))
            raise WavezooError(f"{next(places, path)}: {dotted} is no key any more; {now}.")


def _explain(error: Mapping[str, Any], sources: Mapping[KeyPath, str], path: Path) -> str:
    location: KeyPath = tuple(error["loc"])
    # Pydantic adds the branch of a union to the location; the longest part that the file has is the key meant.
    key_path = next((location[:end] for end in range(len(location), 0, -1) if location[:end] in sources), ())
    where = sources.get(key_path, str(path))
    dotted = ".".join(str(part) for part in location[: max(len(key_path), 1)])
    if error["type"] == "extra_forbidden":
        known = nearest_first(location[-1], _section_keys(location[:-1]))
        return f"{where}: unknown key {'.'.join(map(str, location))!r}. Known here, nearest first: {', '.join(known)}."
    if error["type"] == "missing":
        return f"{where}: the key {'.'.join(map(str, location))!r} is missing."
    message = error["msg"].removeprefix("Value error, ")
    if not location:
        return f"{where}: {message}."
    return f"{where}: {dotted} is {reprlib.repr(error['input'])}: {message[0].lower()}{message[1:]}."


def _section_keys(key_path: KeyPath) -> list[str]:
    section: type[BaseModel] = Recipe
    for key in key_path:
        annotation = section.model_fields[str(key)].annotation
        section = next(each for each in (annotation, *get_args(annotation)) if isinstance(each, type))
    return list(section.model_fields)
