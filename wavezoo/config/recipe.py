"""Recipes: what a YAML file may say, checked once, with file, line and key in every error."""

import reprlib
from collections.abc import Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from wavezoo.config.documents import Document, KeyPath, dump, overridden, parse, read_with_bases
from wavezoo.errors import WavezooError, nearest_first, not_allowed
from wavezoo.files import find_file, is_file

Precision = Literal["fp32", "bf16", "fp16"]
Fraction = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
NonNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Count = Annotated[int, Field(ge=1)]
SchemeChoice = str | dict[str, Any]


class Section(BaseModel):
    """A part of a recipe; unknown keys are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class SchemesSection(Section):
    """Schemes in place of the model's preset, each a name or a mapping with ``name`` and options."""

    laplacian: SchemeChoice | None = None
    integrator: SchemeChoice | None = None
    speed: SchemeChoice | None = None
    damping_field: SchemeChoice | None = None
    damping: SchemeChoice | None = None
    potential: SchemeChoice | None = None
    drift: SchemeChoice | None = None


class ModelSection(Section):
    """A model by its name, its mixer, keyword arguments for it, and its schemes."""

    name: str
    mixer: SchemeChoice | None = None
    options: dict[str, Any] = {}
    schemes: SchemesSection = SchemesSection()


class DataSection(Section):
    """A data set by name, a local copy of it, how it is read, and keys that this data set alone declares.

    ``validation`` holds back a part of the training samples, drawn by ``seed``, where the data set has no validation
    split.
    """

    model_config = ConfigDict(extra="allow")

    name: str
    path: str | None = None
    partial: bool = False
    columns: dict[str, str] = {}
    limit_samples: Count | None = None
    validation: Annotated[float, Field(ge=0, lt=1)] = 0.0
    seed: Annotated[int, Field(ge=0, lt=2**63)] = 0
    workers: Annotated[int, Field(ge=0)] = 0


class AugmentationSection(Section):
    """What is done to training samples; all off by default. ``shift`` is for sequences, the rest for images."""

    shift: Annotated[int, Field(ge=0)] = 0
    crop_padding: Annotated[int, Field(ge=0)] = 0
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
    """One of timm's schedules of the learning rate, stepped after every batch; ``constant`` for none."""

    name: Literal["cosine", "tanh", "poly", "constant"] = "cosine"
    warmup_epochs: NonNegative = 0.0
    min_lr: NonNegative = 0.0


class EvaluationSection(Section):
    """When the model is tested, and when that ends the training: after ``patience`` evaluations without a new best."""

    every_epochs: Count = 1
    patience: Count | None = None


class Recipe(Section):
    """All that a training run depends on.

    ``batch_size`` is that of each process; ``ema`` the decay of a moving average of the weights, which is then what is
    tested and saved.
    """

    name: str
    description: str = ""
    model: ModelSection
    data: DataSection
    augmentation: AugmentationSection = AugmentationSection()
    optimizer: OptimizerSection = OptimizerSection()
    schedule: ScheduleSection = ScheduleSection()
    evaluation: EvaluationSection = EvaluationSection()
    epochs: Count
    batch_size: Count
    seed: Annotated[int, Field(ge=0)] = 0
    precision: Precision = "fp32"
    ema: Annotated[float, Field(gt=0, lt=1)] | None = None
    compile: bool = False
    channels_last: bool = False
    fsdp: bool = False
    tensorboard: bool = False
    save_every_minutes: Positive = 10.0
    plugins: tuple[str, ...] = ()

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
    return {path.stem: path for path in sorted(recipe_folder().rglob("*.yaml"), key=lambda path: path.stem)}


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
    if reference not in recipe_names():
        raise not_allowed("recipe", reference, recipe_names(), "Or give the path of a .yaml file.")
    return recipe_files()[reference]


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


def _checked(document: Document, path: Path) -> Recipe:
    try:
        return Recipe.model_validate(document.content)
    except ValidationError as error:
        raise WavezooError("\n".join(_explain(each, document.places, path) for each in error.errors())) from None


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
