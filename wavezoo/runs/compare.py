"""Run folders side by side."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import mean, stdev
from typing import Any

from wavezoo.errors import WavezooError
from wavezoo.runs.folder import RunFolder

# What may differ between a run and its resumption, or its repetition, since no result depends on it.
FREE_KEYS = ("data.path", "data.workers", "save_every_minutes", "logger")
HEADER = ("run", "recipe", "state", "epoch", "accuracy", "best", "parameters", "minutes", "seed")
AVERAGED = ("seed", "accuracy", "parameters", "seconds")
AVERAGE_HEADER = ("recipe", "seeds", "mean", "deviation", "lowest", "highest", "parameters", "minutes", "settings")


def list_runs(folders: Sequence[Path]) -> list[tuple[str, ...]]:
    """Return a row for each run in or below ``folders``, the best first, under a header.

    Raises:
        WavezooError: if a folder does not exist or holds no run.
    """
    runs = [run for folder in folders for run in _find(folder)]
    rows = sorted((_row(run) for run in runs), key=lambda row: (-row[0], row[1]))
    return [HEADER, *(row[1] for row in rows)]


def compare_runs(runs: Sequence[Path]) -> list[tuple[str, ...]]:
    """Return what differs between the recipes of runs, a row for each key, under a header of their folders.

    Raises:
        WavezooError: if a folder is no run.
    """
    recipes = [flat(RunFolder(run).read_recipe().model_dump(mode="json")) for run in runs]
    keys = {key: None for recipe in recipes for key in recipe}
    rows = [(key, *(str(recipe.get(key, "-")) for recipe in recipes)) for key in keys]
    return [("key", *(str(run) for run in runs)), *(row for row in rows if len(set(row[1:])) > 1)]


def average_runs(folders: Sequence[Path]) -> list[tuple[str, ...]]:
    """Return a row for each recipe among the ended runs in or below ``folders``, over its seeds, under a header.

    Mean, sample standard deviation and extremes are those of the accuracy; the settings those in which the recipes of
    one name differ. The highest mean comes first.

    Raises:
        WavezooError: if a folder does not exist or holds no run, or if no run has ended.
    """
    groups: dict[str, tuple[dict[str, Any], dict[str, list[Any]]]] = {}
    for run in (run for folder in folders for run in _find(folder)):
        folder = RunFolder(run)
        if summary := folder.read_summary():
            recipe = flat(folder.read_recipe().model_dump(mode="json"))
            same = {key: value for key, value in recipe.items() if key not in ("seed", *FREE_KEYS)}
            _, columns = groups.setdefault(str(same), (same, {name: [] for name in AVERAGED}))
            for name, values in columns.items():
                values.append(summary[name])
    if not groups:
        raise WavezooError("None of these runs has ended. Finish one: wavezoo train --resume RUN.")
    recipes = [recipe for recipe, _ in groups.values()]
    ordered = sorted(groups.values(), key=lambda group: -mean(group[1]["accuracy"]))
    return [AVERAGE_HEADER, *(_average_row(recipe, columns, recipes) for recipe, columns in ordered)]


def flat(content: Mapping[str, Any], above: str = "") -> dict[str, Any]:
    """Return nested mappings as one, with dots between the keys."""
    flattened: dict[str, Any] = {}
    for key, value in content.items():
        flattened |= flat(value, f"{above}{key}.") if isinstance(value, dict) and value else {f"{above}{key}": value}
    return flattened


def _find(folder: Path) -> list[Path]:
    if not folder.is_dir():
        raise WavezooError(f"{folder} is not a folder. Give a run folder, or one that holds some.")
    found = sorted(file.parent for file in folder.rglob("recipe.yaml"))
    if not found:
        raise WavezooError(f"{folder} holds no run: there is no recipe.yaml in it or below.")
    return found


def _row(run: Path) -> tuple[float, tuple[str, ...]]:
    folder = RunFolder(run)
    recipe, summary, metrics = folder.read_recipe(), folder.read_summary(), folder.read_metrics()
    newest: Mapping[str, Any] = metrics[-1] if metrics else {}
    accuracies = [value for each in metrics for name, value in each.items() if name.endswith("_accuracy")]
    accuracy = summary["accuracy"] if summary else (accuracies[-1] if accuracies else None)
    best = summary["best_accuracy"] if summary else max(accuracies, default=None)
    seconds = summary["seconds"] if summary else newest.get("seconds")
    return accuracy or 0.0, (
        str(run),
        recipe.name,
        "ended" if summary else "unfinished",
        f"{newest.get('epoch', 0)}/{recipe.epochs}",
        "-" if accuracy is None else f"{accuracy:.2%}",
        "-" if best is None else f"{best:.2%}",
        f"{summary['parameters']:,}" if summary else "-",
        "-" if seconds is None else f"{seconds / 60:.1f}",
        str(recipe.seed),
    )


def _average_row(
    recipe: dict[str, Any], columns: Mapping[str, list[Any]], recipes: Sequence[dict[str, Any]]
) -> tuple[str, ...]:
    namesakes = [other for other in recipes if other["name"] == recipe["name"]]
    settings = [key for key in recipe if any(other.get(key) != recipe[key] for other in namesakes)]
    accuracies = columns["accuracy"]
    return (
        recipe["name"],
        ", ".join(str(seed) for seed in sorted(columns["seed"])),
        f"{mean(accuracies):.2%}",
        f"{stdev(accuracies):.2%}" if len(accuracies) > 1 else "-",
        f"{min(accuracies):.2%}",
        f"{max(accuracies):.2%}",
        f"{columns['parameters'][0]:,}",
        f"{mean(columns['seconds']) / 60:.1f}",
        " ".join(f"{key}={recipe[key]}" for key in settings),
    )
