"""Recipes: what a YAML file may say, checked once, with file, line and key in every error."""

from collections.abc import Iterator, Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from wavezoo.errors import WavezooError, nearest_first, not_allowed

Precision = Literal["fp32", "bf16", "fp16"]
Fraction = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
NonNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Count = Annotated[int, Field(ge=1)]
SchemeChoice = str | dict[str, Any]
KeyPath = tuple[str | int, ...]


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
    """A data set by name, a local copy of it, and how it is read; some keys are for some data sets only.

    ``validation`` holds back the last part of the training samples where the data set has no validation split.
    """

    name: str
    path: str | None = None
    partial: bool = False
    columns: dict[str, str] = {}
    limit_samples: Count | None = None
    validation: Annotated[float, Field(ge=0, lt=1)] = 0.0
    workers: Annotated[int, Field(ge=0)] = 0
    tokens: bool | None = None
    size: Count | None = None
    max_length: Count | None = None
    classes: tuple[str, ...] | None = None


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
    path = Path(reference).expanduser()
    if path.suffix in (".yaml", ".yml") or path.is_file():
        if not path.is_file():
            raise WavezooError(
                f"recipe file {reference!r} does not exist. Recipes by name: {', '.join(recipe_names())}."
            )
        return path
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
    content, sources = _read(path, ())
    return _checked(content, sources, path, overrides)


def load_recipe_text(text: str, path: Path) -> Recipe:
    """Check a recipe that `dump_recipe` returned and that was kept in ``path``."""
    return _checked(yaml.safe_load(text), {}, path)


def _checked(content: dict[str, Any], sources: dict[KeyPath, str], path: Path, overrides: Sequence[str] = ()) -> Recipe:
    for override in overrides:
        key_path = _override(content, override)
        sources[key_path] = f"--set {override}"
    try:
        return Recipe.model_validate(content)
    except ValidationError as error:
        raise WavezooError("\n".join(_explain(each, sources, path) for each in error.errors())) from None


def _read(path: Path, above: tuple[Path, ...]) -> tuple[dict[str, Any], dict[KeyPath, str]]:
    """Return what a file says over its bases, and where each key stands."""
    try:
        text = path.read_text(encoding="utf-8")
        root = yaml.compose(text, Loader=yaml.SafeLoader)
        content = yaml.safe_load(text)
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{path}:{mark.line + 1}" if mark else f"{path}"
        raise WavezooError(f"{where}: not YAML: {getattr(error, 'problem', None) or error}.") from error
    except OSError as error:
        raise WavezooError(f"{path} cannot be read: {error.strerror}.") from error
    if not isinstance(content, dict):
        raise WavezooError(f"{path}: a recipe is a mapping from keys to values, such as `epochs: 10`.")
    sources = dict(_lines(root, path))
    if "base" not in content:
        return content, sources
    where, reference = sources[("base",)], content.pop("base")
    if not isinstance(reference, str):
        raise WavezooError(f"{where}: base is {reference!r}; give the name or the path of another recipe.")
    beside = path.parent / reference
    try:
        base = beside if beside.is_file() else find_recipe(reference)
    except WavezooError as error:
        raise WavezooError(f"{where}: base: {error}") from None
    if base.resolve() in (chain := (*above, path.resolve())):
        raise WavezooError(f"{where}: base: {reference} leads back to {path.name}; a recipe cannot stand on itself.")
    below, below_sources = _read(base, chain)
    return _merged(below, content), below_sources | sources


def _merged(below: Mapping[str, Any], above: Mapping[str, Any], depth: int = 2) -> dict[str, Any]:
    """Return both, keys of ``above`` winning; what lies deeper than sections and their mappings, a scheme's options,
    is replaced as a whole.
    """
    merged = dict(below)
    for key, value in above.items():
        both = isinstance(value, dict) and isinstance(below.get(key), dict)
        merged[key] = _merged(below[key], value, depth - 1) if both and depth else value
    return merged


def dump_recipe(recipe: Recipe) -> str:
    """Return ``recipe`` as YAML, defaults included."""
    return yaml.safe_dump(recipe.model_dump(mode="json"), sort_keys=False, allow_unicode=True)


def _lines(node: Any, path: Path, key_path: KeyPath = ()) -> Iterator[tuple[KeyPath, str]]:
    """Yield where each key of a YAML tree stands, as ``file:line``, and refuse keys given twice."""
    if isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key, value in node.value:
            line = key.start_mark.line + 1
            if key.value in seen:
                raise WavezooError(f"{path}:{line}: the key {key.value!r} is given twice.")
            seen.add(key.value)
            yield (*key_path, key.value), f"{path}:{line}"
            yield from _lines(value, path, (*key_path, key.value))
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            yield (*key_path, index), f"{path}:{value.start_mark.line + 1}"
            yield from _lines(value, path, (*key_path, index))


def _override(content: dict[str, Any], override: str) -> KeyPath:
    keys, separator, text = override.partition("=")
    if not separator or not all(keys.split(".")):
        raise WavezooError(f"--set {override!r} is not of the form key=value, such as optimizer.lr=1e-3.")
    *parents, last = keys.split(".")
    target = content
    for key in parents:
        target = target.setdefault(key, {})
        if not isinstance(target, dict):
            raise WavezooError(f"--set {override}: {key!r} is not a section, so it has no key {last!r}.")
    try:
        target[last] = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise WavezooError(f"--set {override}: {text!r} is not a YAML value.") from error
    return tuple(keys.split("."))


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
    return f"{where}: {dotted} is {error['input']!r}: {message[0].lower()}{message[1:]}."


def _section_keys(key_path: KeyPath) -> list[str]:
    section: type[BaseModel] = Recipe
    for key in key_path:
        annotation = section.model_fields[str(key)].annotation
        section = next(each for each in (annotation, *get_args(annotation)) if isinstance(each, type))
    return list(section.model_fields)
