"""Ended runs as a record."""

import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from wavezoo.errors import WavezooError
from wavezoo.experiments.records import Column, Machine, Record, write_record
from wavezoo.plugins.registry import registry
from wavezoo.runs.compare import FREE_KEYS, flat
from wavezoo.runs.folder import RunFolder
from wavezoo.runs.records import Summary

PERCENT: dict[str, Any] = {"unit": "%", "scale": 0.01, "digits": 2}


def add(root: Path, name: str, runs: Sequence[Path], title: str = "", caption: str = "") -> Path:
    """Write the record ``name`` of ended runs, a row for each setting and a number for each seed, and return its file.

    Args:
        root: the checkout that keeps the record.
        name: of the record and of its table.
        runs: run folders that differ in their seeds and in the settings to compare.
        title: of the table; the recipe's name if empty.
        caption: what a reader has to know.

    Raises:
        WavezooError: if a folder is no ended run, the recipes differ in name, or a setting lacks a seed of the others.
    """
    recipes, summaries = zip(*(_read(run) for run in runs), strict=True)
    seeds = sorted({recipe["seed"] for recipe in recipes})
    varied = [key for key in recipes[0] if len({str(recipe.get(key)) for recipe in recipes}) > 1 and key != "seed"]
    groups: dict[tuple[str, ...], dict[int, Summary]] = {}
    for recipe, summary, run in zip(recipes, summaries, runs, strict=True):
        setting = tuple(str(recipe.get(key)) for key in varied)
        if groups.setdefault(setting, {}).setdefault(recipe["seed"], summary) is not summary:
            raise WavezooError(f"{run} repeats the settings and the seed of another of these runs. Leave one out.")
    for setting, by_seed in groups.items():
        if missing := [str(seed) for seed in seeds if seed not in by_seed]:
            raise WavezooError(f"{' '.join(setting) or name} has no run of seed {', '.join(missing)}. Train it first.")
    record = _record(title or recipes[0]["name"], caption, recipes[0]["name"], varied, seeds, groups)
    return write_record(root, name, record.model_copy(update={"commit": _commit(root)}))


def _read(run: Path) -> tuple[dict[str, Any], Summary]:
    folder = RunFolder(run)
    summary = folder.read_summary()
    recipe = folder.read_recipe().model_dump(mode="json")
    if summary is None:
        raise WavezooError(f"{run} has not ended. Finish it: wavezoo train --resume {run}.")
    return {key: value for key, value in flat(recipe).items() if key not in FREE_KEYS}, summary


def _record(
    title: str,
    caption: str,
    recipe: str,
    varied: Sequence[str],
    seeds: Sequence[int],
    groups: Mapping[tuple[str, ...], Mapping[int, Summary]],
) -> Record:
    rows = []
    for setting, by_seed in groups.items():
        ordered = [by_seed[seed] for seed in seeds]
        rows.append(
            {
                **(dict(zip(varied, setting, strict=True)) or {"recipe": recipe}),
                "parameters": ordered[0].parameters,
                ordered[0].decides: [each.result for each in ordered],
                "seconds": [round(each.seconds, 1) for each in ordered],
            }
        )
    first = next(iter(groups.values()))[seeds[0]]
    # A share is shown in hundredths.
    task = registry.tasks().get(first.task)
    shares = PERCENT if first.decides in getattr(task, "percent", ()) else {"digits": 4}
    settings = [Column(key=key, title=key.removeprefix("model."), code=True) for key in varied]
    return Record(
        title=title,
        caption=caption,
        command=" ".join(
            [f"wavezoo train {recipe} --set seed=SEED", *(f"--set {key}={_capital(key)}" for key in varied)]
        ),
        seeds=list(seeds),
        date=time.strftime("%Y-%m-%d"),
        commit="",
        versions=dict(first.versions),
        machine=Machine(processor=_processor()),
        columns=[
            *(settings or [Column(key="recipe", title="recipe", code=True)]),
            Column(key="parameters", title="parameters", unit="K", scale=1e3, digits=1),
            Column(key=first.decides, title=first.decides.replace("_", " "), **shares),
            Column(key="seconds", title="minutes", scale=60, digits=1, spread=False),
        ],
        rows=rows,
    )


def _capital(key: str) -> str:
    return key.rpartition(".")[2].upper()


def _processor() -> str | None:
    file = Path("/proc/cpuinfo")
    lines = file.read_text(encoding="utf-8").splitlines() if file.is_file() else []
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), None)


def _commit(root: Path) -> str:
    """Return the checkout's commit, with a note if something in it is changed."""
    described = subprocess.run(
        ["git", "describe", "--always", "--dirty", "--abbrev=7", "--exclude=*"],
        cwd=root,
        capture_output=True,
        text=True,
        check=False,
    )
    return described.stdout.strip() or "unknown"
