"""A comparison: one recipe, trained in several variants, each with the settings that suit it best.

What suits a variant is chosen on validation samples held back from training, by short trials; the seeds are trained
after that, and tested once.
"""

import functools
import json
from itertools import product
from pathlib import Path
from typing import Annotated, Any, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from wavezoo.config.documents import read_document
from wavezoo.config.recipe import BUDGETS, COMPARISONS, Recipe, find_recipe, load_recipe, recipe_folder, with_overrides
from wavezoo.errors import WavezooError, not_allowed
from wavezoo.files import find_file, is_file
from wavezoo.train.smoke import smoke

Value = str | int | float | bool | None | list[Any] | dict[str, Any]
Settings = dict[str, Value]


class Comparison(BaseModel):
    """What is compared, and how what suits each is chosen.

    Args:
        title: of the table.
        caption: what a reader has to know.
        recipe: the name of a recipe, or its path.
        common: settings of all trainings, in place of the recipe's, by dotted key, such as ``data.limit_samples``.
        variants: settings of each variant, by the name of its row.
        choose: values to choose from, for each variant by itself, by dotted key; every combination is tried.
        trial: settings of the trials that choose, in place of those of the trainings that count.
        seeds: of the trainings that count.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    title: str
    caption: str = ""
    recipe: str
    common: Settings = {}
    variants: Annotated[dict[str, Settings], Field(min_length=1)]
    choose: dict[str, Annotated[list[Value], Field(min_length=1)]] = {}
    trial: Settings = {}
    seeds: Annotated[list[Annotated[int, Field(ge=0)]], Field(min_length=1)] = [0, 1, 2]

    @property
    def choices(self) -> list[Settings]:
        """Every combination of the values to choose from."""
        return [dict(zip(self.choose, values, strict=True)) for values in product(*self.choose.values())]


class Job(NamedTuple):
    """One training of a comparison.

    Attributes:
        variant: whose.
        choice: the values that it tries, or that were chosen.
        seed: None for a trial.
    """

    variant: str
    choice: Settings
    seed: int | None

    @property
    def folder(self) -> Path:
        """Where its run folder lies within the comparison's."""
        said = ",".join(f"{key}={value}" for key, value in self.choice.items()) or "default"
        name = f"trial {said}" if self.seed is None else f"seed {self.seed}"
        return Path(self.variant.replace("/", "_")) / name.replace("/", "_")


class Plan:
    """The trainings of a comparison, checked before the first begins.

    Args:
        comparison: what is compared.
        overrides: ``key=value``, in place of everybody's own.
        small: make every training a smoke test.

    Raises:
        WavezooError: if a recipe that comes of it cannot work, or if trials have no validation samples.
    """

    def __init__(self, comparison: Comparison, overrides: tuple[str, ...] = (), small: bool = False) -> None:
        self.comparison = comparison
        self._overrides = overrides
        self._small = small
        self._base = load_recipe(find_recipe(comparison.recipe))
        for variant in comparison.variants:
            for job in [*self.trials(variant), Job(variant, comparison.choices[0], comparison.seeds[0])]:
                self.recipe(job)

    def trials(self, variant: str) -> list[Job]:
        """Return the trials of a variant; none where there is nothing to choose."""
        choices = self.comparison.choices
        return [Job(variant, choice, None) for choice in choices] if len(choices) > 1 else []

    def seeded(self, variant: str, choice: Settings) -> list[Job]:
        """Return the trainings of a variant that count."""
        return [Job(variant, choice, seed) for seed in self.comparison.seeds]

    def recipe(self, job: Job) -> Recipe:
        """Return what a job trains."""
        named = self.comparison
        settings = {**named.common, **named.variants[job.variant], **job.choice}
        settings |= named.trial if job.seed is None else {"seed": job.seed}
        changes = [*(f"{key}={_written(value)}" for key, value in _with_budget(settings).items()), *self._overrides]
        recipe = with_overrides(self._base, changes)
        return with_overrides(smoke(recipe), self._overrides) if self._small else recipe


def find_comparison(reference: str) -> Comparison:
    """Return the comparison of a name, or in a file.

    Raises:
        WavezooError: if there is none, or if it says something wrong.
    """
    if reference.endswith((".yaml", ".yml")) or is_file(reference):
        return load_comparison(find_file(reference, "comparison"))
    found = comparison_files()
    if reference not in found:
        raise not_allowed("comparison", reference, found, "Or give the path of a .yaml file.")
    return load_comparison(found[reference])


@functools.cache
def comparison_files() -> dict[str, Path]:
    """Return the files of the comparisons that come with wavezoo, by name."""
    return {path.stem: path for path in sorted((recipe_folder() / COMPARISONS).glob("*.yaml"))}


def load_comparison(path: Path) -> Comparison:
    """Read and check a comparison.

    Raises:
        WavezooError: naming file, line and key of what is wrong.
    """
    document = read_document(path)
    try:
        return Comparison.model_validate(document.content)
    except ValidationError as error:
        first = error.errors()[0]
        keys = tuple(first["loc"])
        above = [keys[:end] for end in range(len(keys), 0, -1)]
        place = next((document.places[each] for each in above if each in document.places), path)
        raise WavezooError(f"{place}: {'.'.join(map(str, keys)) or 'the comparison'}: {first['msg']}.") from None


def _written(value: Value) -> str:
    return json.dumps(value)


def _with_budget(settings: Settings) -> Settings:
    """Return settings in which one budget takes the place of the recipe's."""
    if not any(each in settings for each in BUDGETS):
        return settings
    return {**dict.fromkeys(BUDGETS), **settings}
