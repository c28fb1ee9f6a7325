"""Runs side by side, as tables."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from wavezoo.cli.output import Table
from wavezoo.plugins.registry import registry
from wavezoo.runs.compare import Average, RunRecord
from wavezoo.tasks.base import shown

RUN_HEADER = ("run", "recipe", "state", "epoch", "metric", "last", "best", "parameters", "minutes", "seed")
AVERAGE_HEADER = (
    "recipe",
    "seeds",
    "metric",
    "mean",
    "deviation",
    "lowest",
    "highest",
    "parameters",
    "minutes",
    "settings",
)
NOTHING = "-"


def said(task: str | None, name: str, value: float | None) -> str:
    """Return a task's number as people read it, whether or not the task is known here."""
    return NOTHING if value is None else shown(registry.tasks().get(task or ""), name, value)


def run_table(runs: Sequence[RunRecord]) -> Table:
    """Return a line for each run."""
    return Table(RUN_HEADER, [_run_row(each) for each in runs])


def average_table(averages: Sequence[Average]) -> Table:
    """Return a line for each recipe over its seeds."""
    return Table(AVERAGE_HEADER, [_average_row(each) for each in averages])


def comparison_table(runs: Sequence[Path], differences: Mapping[str, Sequence[Any]]) -> Table:
    """Return a line for each key in which the recipes of runs differ."""
    rows = [(key, *(NOTHING if value is None else str(value) for value in row)) for key, row in differences.items()]
    return Table(("key", *map(str, runs)), rows)


def _run_row(run: RunRecord) -> tuple[str, ...]:
    if run.recipe is None:
        return (str(run.path), NOTHING, "unreadable", *[NOTHING] * (len(RUN_HEADER) - 3))
    state = "unreadable" if run.problem else "ended" if run.ended else "unfinished"
    task = run.task or (run.recipe.task.name if run.recipe.task else None)
    return (
        str(run.path),
        run.recipe.name,
        state,
        f"{run.epoch:g}",
        run.decides or NOTHING,
        *(said(task, run.decides or "", value) for value in (run.result, run.best)),
        NOTHING if run.parameters is None else f"{run.parameters:,}",
        NOTHING if run.seconds is None else f"{run.seconds / 60:.1f}",
        str(run.recipe.seed),
    )


def _average_row(average: Average) -> tuple[str, ...]:
    numbers = (average.mean, average.deviation, min(average.results), max(average.results))
    return (
        average.recipe,
        ", ".join(map(str, average.seeds)),
        average.decides,
        *(said(average.task, average.decides, value) for value in numbers),
        f"{average.parameters:,}",
        f"{average.seconds / 60:.1f}",
        " ".join(f"{key}={value}" for key, value in average.settings.items()),
    )
