"""Commands that train, test and compare."""

import os
import re
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from wavezoo.cli.options import Device, Plugins, load_plugins
from wavezoo.cli.output import console, say, say_aside, say_json
from wavezoo.errors import WavezooError

if TYPE_CHECKING:
    from wavezoo.config.recipe import Recipe
    from wavezoo.runs.records import Summary

LONGEST_FOLDER_NAME = 100


def train(
    recipe: Annotated[
        str | None, typer.Argument(help="A recipe's name (wavezoo list recipes) or the path of a .yaml file.")
    ] = None,
    overrides: Annotated[
        list[str] | None, typer.Option("--set", help="Replace a value: --set optimizer.lr=1e-3; may be repeated.")
    ] = None,
    plugin: Plugins = None,
    epochs: Annotated[int | None, typer.Option(help="Train for this many epochs.")] = None,
    limit_samples: Annotated[int | None, typer.Option(help="Use this many samples of each split at most.")] = None,
    device: Device = "auto",
    out: Annotated[Path | None, typer.Option(help="The run folder; runs/NAME-TIME by default.")] = None,
    resume: Annotated[Path | None, typer.Option(help="Go on with the run in this folder.")] = None,
    smoke: Annotated[
        bool, typer.Option("--smoke", help="Make the recipe so small that it runs through in under a minute.")
    ] = False,
) -> None:
    """Train a recipe and leave a run folder; or go on with one. The last line of output is the result in JSON."""
    from wavezoo import train as training

    named = load_plugins(plugin)
    changes = [*(overrides or []), *_budget(epochs)]
    changes += [f"data.limit_samples={limit_samples}"] * (limit_samples is not None)
    checked = None if recipe is None else _checked(recipe, changes, named, smoke)
    if resume is not None:
        if out is not None:
            raise WavezooError(f"--out {out}: a resumed run stays in its folder, {resume}. Leave --out out.")
        _say_result(training.resume(resume, checked, changes, device, console()), resume)
        return
    if checked is None:
        raise WavezooError("train needs a recipe, such as `wavezoo train quickstart`, or --resume RUN.")
    out = out or Path("runs") / f"{_folder_name(checked.name)}-{time.strftime('%Y%m%d-%H%M%S')}"
    _say_result(training.train(checked, out, device, console()), out)


def evaluate(
    run: Annotated[Path, typer.Argument(help="A run folder.")],
    weights: Annotated[str, typer.Option(help="last or best.")] = "last",
    plugin: Plugins = None,
    device: Device = "auto",
    data_path: Annotated[str | None, typer.Option(help="A local copy of the data in place of the recipe's.")] = None,
    resolution: Annotated[float, typer.Option(help="Enlarge the test images by this, and keep the physics.")] = 1.0,
    grid_spacing: Annotated[
        float | None, typer.Option(help="What to tell the model of the distance of two pixels; 1 / resolution if left.")
    ] = None,
    overrides: Annotated[
        list[str] | None, typer.Option("--set", help="Test on other data: --set data.size=33; may be repeated.")
    ] = None,
    details: Annotated[bool, typer.Option("--details", help="Print the task's tables too.")] = False,
) -> None:
    """Print how good a run's saved weights are on the test split."""
    from wavezoo.tasks.base import shown, shown_table
    from wavezoo.train import evaluate as evaluate_run

    load_plugins(plugin)
    found = evaluate_run(run, weights, device, data_path, resolution, grid_spacing, overrides or ())
    scale = "" if resolution == 1 else f", images enlarged by {resolution:g}"
    numbers = ", ".join(f"{name} {shown(found.task, name, value)}" for name, value in found.numbers.items())
    say(f"{numbers} ({weights} weights of {run}{scale})")
    for table, values in found.details.items() if details else ():
        say(shown_table(found.task, table, values))


def runs(
    folders: Annotated[
        list[Path] | None, typer.Argument(help="Run folders, or folders of them; runs by default.")
    ] = None,
    compare: Annotated[bool, typer.Option("--compare", help="Also show where their recipes differ.")] = False,
    seeds: Annotated[
        bool, typer.Option("--seeds", help="List mean and spread over the seeds of each recipe instead.")
    ] = False,
) -> None:
    """List runs, the best first."""
    from wavezoo.cli.comparison import average_table, comparison_table, run_table
    from wavezoo.runs.compare import average_runs, compare_runs, list_runs

    folders = folders or [Path("runs")]
    records = list_runs(folders)
    say((average_table(average_runs(folders)) if seeds else run_table(records)).text())
    for record in records:
        if record.problem is not None:
            say_aside(f"wavezoo: warning: {record.problem}")
    if compare:
        readable = [record.path for record in records if record.recipe is not None]
        say("\n" + comparison_table(readable, compare_runs(readable)).text())


def _folder_name(name: str) -> str:
    """Return a recipe's name as that of one folder, which leads nowhere else."""
    return re.sub(r"[/\\\x00-\x1f]", "_", name)[:LONGEST_FOLDER_NAME].lstrip(".") or "run"


def _budget(epochs: int | None) -> list[str]:
    """Return what puts a number of epochs in place of a recipe's budget."""
    from wavezoo.config.recipe import BUDGETS

    return [] if epochs is None else [*(f"{each}=null" for each in BUDGETS if each != "epochs"), f"epochs={epochs}"]


def _checked(reference: str, changes: Sequence[str], plugins: Sequence[str], smoke: bool) -> "Recipe":
    from wavezoo.config.recipe import find_recipe, load_recipe, with_overrides
    from wavezoo.train import smoke as smaller

    recipe = load_recipe(find_recipe(reference), changes)
    if smoke:
        # What the user says counts even so.
        recipe = with_overrides(smaller(recipe), changes)
    # So that the run folder tells which plugins it needs.
    return recipe.model_copy(update={"plugins": tuple(dict.fromkeys((*recipe.plugins, *plugins)))})


def _say_result(summary: "Summary", run: Path) -> None:
    """Print the result for people, and on the last line for scripts."""
    from wavezoo.cli.comparison import said

    # One of several processes speaks for all.
    if os.environ.get("RANK", "0") != "0":
        return
    last, best = (said(summary.task, summary.decides, value) for value in (summary.result, summary.best_result))
    say(
        f"{summary.decides} {last} (best {best}, epoch {summary.best_epoch:g}) in {summary.seconds:.0f} s; run folder "
        f"{run}"
    )
    counts = ("best_epoch", "epochs", "updates", "parameters", "seconds", "seed")
    say_json(
        {
            "run": str(run),
            **summary.last,
            f"best_{summary.decides}": summary.best_result,
            **{name: getattr(summary, name) for name in counts},
        }
    )
