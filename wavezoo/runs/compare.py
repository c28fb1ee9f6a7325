"""Run folders side by side, in numbers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, stdev
from typing import Any

from wavezoo.config.recipe import Recipe
from wavezoo.errors import WavezooError
from wavezoo.files import is_folder
from wavezoo.runs.folder import RECIPE, RunFolder

# What may differ between a run and its resumption, or its repetition, since no result depends on it.
FREE_KEYS = ("data.path", "data.workers", "save_every_minutes", "logger")


@dataclass(frozen=True)
class RunRecord:
    """What a run folder tells.

    Attributes:
        path: the run folder.
        recipe: its recipe; None if that cannot be read.
        ended: whether the run has ended.
        epoch: epochs of training so far.
        updates: updates of the weights so far.
        task: the task's name, None before the end.
        decides: which number decides; None before the first evaluation.
        higher_is_better: whether more of it is better.
        result: that number with the last weights so far.
        best: the best so far; on the test split with the best weights, at the end.
        parameters: the model's, None before the end.
        seconds: spent so far.
        problem: what cannot be read, None if all can.
    """

    path: Path
    recipe: Recipe | None = None
    ended: bool = False
    epoch: float = 0
    updates: int = 0
    task: str | None = None
    decides: str | None = None
    higher_is_better: bool = True
    result: float | None = None
    best: float | None = None
    parameters: int | None = None
    seconds: float | None = None
    problem: str | None = None


@dataclass(frozen=True)
class Average:
    """The ended runs of one recipe that differ in their seeds.

    Attributes:
        recipe: the recipe's name.
        settings: what sets it apart from recipes of that name.
        seeds: of the runs, in order.
        task: the task's name.
        decides: which number decides.
        higher_is_better: whether more of it is better.
        results: that number of each run with the last weights, in the order of the seeds.
        parameters: the model's.
        seconds: mean over the runs.
    """

    recipe: str
    settings: dict[str, Any]
    seeds: tuple[int, ...]
    task: str
    decides: str
    higher_is_better: bool
    results: tuple[float, ...]
    parameters: int
    seconds: float

    @property
    def mean(self) -> float:
        """The mean of the results."""
        return mean(self.results)

    @property
    def deviation(self) -> float | None:
        """Their sample standard deviation; None for one run."""
        return stdev(self.results) if len(self.results) > 1 else None


def list_runs(folders: Sequence[Path]) -> list[RunRecord]:
    """Return the runs in or below ``folders``, the best first; those that cannot be read say why, at the end.

    Raises:
        WavezooError: if a folder does not exist or holds no run.
    """
    records = [read_run(run) for folder in folders for run in find_runs(folder)]
    return sorted(records, key=lambda each: _order(each.problem, each.result, each.higher_is_better))


def compare_runs(runs: Sequence[Path]) -> dict[str, list[Any]]:
    """Return what differs between the recipes of runs: for each such key its value in every one.

    Raises:
        WavezooError: if a folder is no run.
    """
    recipes = [flat(RunFolder(run).read_recipe().model_dump(mode="json")) for run in runs]
    keys = {key: None for recipe in recipes for key in recipe}
    rows = {key: [recipe.get(key) for recipe in recipes] for key in keys}
    return {key: row for key, row in rows.items() if any(value != row[0] for value in row)}


def average_runs(folders: Sequence[Path]) -> list[Average]:
    """Return a record for each recipe among the ended runs in or below ``folders``, over its seeds, the best first.

    Runs that cannot be read are left out.

    Raises:
        WavezooError: if a folder does not exist or holds no run, or if no run has ended.
    """
    groups: dict[str, list[RunRecord]] = {}
    for record in list_runs(folders):
        if record.ended and record.recipe is not None:
            groups.setdefault(str(_settings(record.recipe)), []).append(record)
    if not groups:
        raise WavezooError("None of these runs has ended. Finish one: wavezoo train --resume RUN.")
    recipes = [_settings(group[0].recipe) for group in groups.values() if group[0].recipe]
    averages = [_average(group, recipe, recipes) for group, recipe in zip(groups.values(), recipes, strict=True)]
    return sorted(averages, key=lambda each: _order(None, each.mean, each.higher_is_better))


def find_runs(folder: Path) -> list[Path]:
    """Return the run folders in or below ``folder``.

    Raises:
        WavezooError: if it does not exist or holds none.
    """
    if not is_folder(folder):
        raise WavezooError(f"{folder} is not a folder. Give a run folder, or one that holds some.")
    found = sorted(file.parent for file in folder.rglob(RECIPE) if not file.parent.name.endswith(".part"))
    if not found:
        raise WavezooError(f"{folder} holds no run: there is no recipe.yaml in it or below.")
    return found


def read_run(run: Path) -> RunRecord:
    """Return what the run folder tells, and what of it cannot be read."""
    folder = RunFolder(run)
    try:
        recipe = folder.read_recipe()
    except WavezooError as error:
        return RunRecord(run, problem=str(error))
    try:
        summary, metrics = folder.read_summary(), folder.read_metrics()
    except WavezooError as error:
        return RunRecord(run, recipe, problem=str(error))
    if summary is not None:
        return RunRecord(
            run,
            recipe,
            True,
            summary.epochs,
            summary.updates,
            summary.task,
            summary.decides,
            summary.higher_is_better,
            summary.result,
            summary.best_result,
            summary.parameters,
            summary.seconds,
        )
    if not metrics:
        return RunRecord(run, recipe)
    newest = metrics[-1]
    # Which number decides only the end tells; a task names it first.
    decides = next(iter(newest.metrics), None)
    result = None if decides is None else newest.metrics[decides]
    return RunRecord(
        run,
        recipe,
        epoch=newest.epoch,
        updates=newest.updates,
        decides=decides,
        result=result,
        seconds=newest.seconds,
    )


def flat(content: Mapping[str, Any], above: str = "") -> dict[str, Any]:
    """Return nested mappings as one, with dots between the keys."""
    flattened: dict[str, Any] = {}
    for key, value in content.items():
        flattened |= flat(value, f"{above}{key}.") if isinstance(value, dict) and value else {f"{above}{key}": value}
    return flattened


def _settings(recipe: Recipe) -> dict[str, Any]:
    content = flat(recipe.model_dump(mode="json"))
    return {key: value for key, value in content.items() if key not in ("seed", *FREE_KEYS)}


def _average(group: Sequence[RunRecord], recipe: dict[str, Any], recipes: Sequence[dict[str, Any]]) -> Average:
    namesakes = [other for other in recipes if other["name"] == recipe["name"]]
    settings = {key: value for key, value in recipe.items() if any(other.get(key) != value for other in namesakes)}
    runs = sorted(group, key=lambda each: each.recipe.seed if each.recipe else 0)
    return Average(
        recipe["name"],
        settings,
        tuple(each.recipe.seed for each in runs if each.recipe),
        runs[0].task or "",
        runs[0].decides or "",
        runs[0].higher_is_better,
        tuple(each.result or 0.0 for each in runs),
        runs[0].parameters or 0,
        mean(each.seconds or 0.0 for each in runs),
    )


def _order(problem: str | None, result: float | None, higher_is_better: bool) -> tuple[bool, bool, float]:
    return problem is not None, result is None, 0.0 if result is None else (-result if higher_is_better else result)
