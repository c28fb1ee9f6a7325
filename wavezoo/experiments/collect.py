"""Ended runs as a record."""

import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from wavezoo.errors import WavezooError
from wavezoo.experiments.records import Cell, Column, Machine, Record, write_record
from wavezoo.runs.compare import FREE_KEYS, flat
from wavezoo.runs.folder import RunFolder
from wavezoo.runs.records import Summary

# What a recipe does not say is the model's own choice.
UNSAID = "default"
Settings = dict[str, Any]
Groups = dict[tuple[str, ...], dict[int, Summary]]


def add(root: Path, name: str, runs: Sequence[Path], title: str = "", caption: str = "") -> Path:
    """Write the record ``name`` of ended runs, a row for each setting and a number for each seed, and return its file.

    Args:
        root: the checkout that keeps the record.
        name: of the record and of its table.
        runs: run folders that differ in their seeds and in the settings to compare.
        title: of the table; the recipe's name if empty.
        caption: what a reader has to know.

    Raises:
        WavezooError: if a folder is no ended run, two runs are of the same settings and seed, their tasks or recipes
            differ, or a setting lacks a seed of the others.
    """
    found = [(run, *_read(run)) for run in runs]
    _require_alike(found)
    settings = [setting for _, setting, _ in found]
    varied = [
        key for key in {key: None for each in settings for key in each} if key != "seed" and _varies(settings, key)
    ]
    seeds = sorted({setting["seed"] for setting in settings})
    groups = _grouped(found, varied, seeds)
    summary = found[0][2]
    title = title or summary.recipe
    record = _record(title, caption, summary, varied, seeds, groups)
    return write_record(root, name, record.model_copy(update={"commit": commit_of(root)}))


def _read(run: Path) -> tuple[Settings, Summary]:
    folder = RunFolder(run)
    recipe, summary = folder.read_recipe(), folder.read_summary()
    if summary is None:
        raise WavezooError(f"{run} has not ended. Finish it: wavezoo train --resume {run}.")
    content = flat(recipe.model_dump(mode="json"))
    return {key: value for key, value in content.items() if key not in FREE_KEYS}, summary


def _require_alike(found: Sequence[tuple[Path, Settings, Summary]]) -> None:
    first, _, wanted = found[0]
    for run, _, summary in found[1:]:
        for what in ("recipe", "decides"):
            one, other = getattr(summary, what), getattr(wanted, what)
            if one != other:
                raise WavezooError(f"{run} and {first} differ: {what} is {one!r} and {other!r}. Make a record of each.")


def _varies(settings: Sequence[Settings], key: str) -> bool:
    return len({_said(setting, key) for setting in settings}) > 1


def _said(setting: Settings, key: str) -> str:
    value = setting.get(key)
    return UNSAID if value is None else str(value)


def _grouped(found: Sequence[tuple[Path, Settings, Summary]], varied: Sequence[str], seeds: Sequence[int]) -> Groups:
    groups: Groups = {}
    for run, setting, summary in found:
        by_seed = groups.setdefault(tuple(_said(setting, key) for key in varied), {})
        if setting["seed"] in by_seed:
            raise WavezooError(f"{run} repeats the settings and the seed of another of these runs. Leave one out.")
        by_seed[setting["seed"]] = summary
    for values, by_seed in groups.items():
        if missing := [str(seed) for seed in seeds if seed not in by_seed]:
            said = " ".join(f"{key}={value}" for key, value in zip(varied, values, strict=True))
            raise WavezooError(f"no run of seed {', '.join(missing)} has {said}. Train it, or leave the others out.")
    return groups


def _record(
    title: str, caption: str, summary: Summary, varied: Sequence[str], seeds: Sequence[int], groups: Groups
) -> Record:
    share: Mapping[str, Any] = {"unit": "%", "scale": 0.01, "digits": 2} if summary.higher_is_better else {}
    settings = [Column(key=key, title=key.removeprefix("model."), code=True) for key in varied]
    chosen = [f"--set {key}={key.rpartition('.')[2].upper()}" for key in varied]
    return Record(
        title=title,
        caption=caption,
        command=" ".join([f"wavezoo train {summary.recipe}", "--set seed=SEED", *chosen]),
        seeds=list(seeds),
        date=time.strftime("%Y-%m-%d"),
        commit="",
        versions=summary.versions,
        machine=Machine(processor=processor() if summary.device == "cpu" else summary.device),
        columns=[
            *(settings or [Column(key="recipe", title="recipe", code=True)]),
            Column(key="parameters", title="parameters", unit="K", scale=1e3, digits=1),
            Column(key=summary.decides, title=summary.decides.replace("_", " "), **share),
            Column(key="seconds", title="minutes", scale=60, digits=1, spread=False),
        ],
        rows=[_row(varied, values, [by_seed[seed] for seed in seeds]) for values, by_seed in groups.items()],
    )


def _row(varied: Sequence[str], values: Sequence[str], summaries: Sequence[Summary]) -> dict[str, Cell]:
    first = summaries[0]
    named: dict[str, Cell] = {**dict(zip(varied, values, strict=True))} or {"recipe": first.recipe}
    return {
        **named,
        "parameters": first.parameters,
        first.decides: [each.result for each in summaries],
        "seconds": [round(each.seconds, 1) for each in summaries],
    }


def processor() -> str | None:
    """Return the processor's model, None where the system does not tell."""
    file = Path("/proc/cpuinfo")
    lines = file.read_text(encoding="utf-8").splitlines() if file.is_file() else []
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), None)


def commit_of(root: Path) -> str:
    """Return the checkout's commit, ``-dirty`` behind it if something else than documents has changed since."""
    command = ["git", "describe", "--always", "--abbrev=7", "--exclude=*"]
    # A record, and the tables made from it, change no measurement after it.
    changes = ["git", "status", "--porcelain", "--untracked-files=no", "--", ".", ":!docs", ":!README.md"]
    try:
        commit, changed = (
            subprocess.run(each, cwd=root, capture_output=True, text=True, check=False).stdout.strip()
            for each in (command, changes)
        )
    except OSError:
        return "unknown"
    return f"{commit}-dirty" if commit and changed else commit or "unknown"
