"""Run folders side by side."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from wavezoo.errors import WavezooError
from wavezoo.train.run_folder import RunFolder

HEADER = ("run", "recipe", "state", "epoch", "accuracy", "best", "parameters", "minutes", "seed")


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
