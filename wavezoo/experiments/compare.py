"""Trains a comparison, in one process or in several side by side, and makes its record."""

import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from wavezoo.config.recipe import Recipe
from wavezoo.errors import WavezooError
from wavezoo.experiments.collect import commit_of, processor
from wavezoo.experiments.comparison import Comparison, Job, Plan, Settings
from wavezoo.experiments.records import Cell, Column, Machine, Record
from wavezoo.files import writing
from wavezoo.runs.compare import FREE_KEYS, flat
from wavezoo.runs.folder import RunFolder
from wavezoo.runs.lock import FolderLock
from wavezoo.runs.records import Summary
from wavezoo.train.model import check_recipe
from wavezoo.train.start import resume, train

# Beside the run folders of a comparison: who works on what, and why a trial came to no end.
CLAIM, FAILED = "claims", "failed"
WAIT_SECONDS = 5.0


class Trial:
    """What became of a trial.

    Args:
        folder: its run folder.
        summary: what it found; None if it has not ended.
        reason: the file that says why it came to no end.
    """

    def __init__(self, folder: Path, summary: Summary | None, reason: Path) -> None:
        self.summary = summary
        self.ended = summary is not None or reason.is_file()
        self.value: float | None = None
        if self.summary is not None:
            newest = RunFolder(folder).read_metrics()[-1]
            if newest.split != "validation":
                raise WavezooError(
                    f"{folder} was measured on {newest.split} samples, where nothing may be chosen. Give the trials a "
                    "part of the training samples, trial: {data.validation: 0.1}, and begin in an empty folder."
                )
            self.value = newest.metrics[self.summary.decides]


class Trainings:
    """The trainings of a comparison, in a folder that several processes may share.

    Args:
        plan: what is trained.
        out: the folder.
    """

    def __init__(self, plan: Plan, out: Path) -> None:
        self.plan = plan
        self.out = out

    def chosen(self, variant: str) -> Settings | None:
        """Return what suits a variant best on validation samples; None as long as trials are not over.

        Raises:
            WavezooError: if none of them came to an end.
        """
        jobs = self.plan.trials(variant)
        if not jobs:
            return self.plan.comparison.choices[0]
        trials = [(job, self.trial(job)) for job in jobs]
        if not all(trial.ended for _, trial in trials):
            return None
        ended = [(trial.value, job.choice, trial.summary) for job, trial in trials if trial.value is not None]
        if not ended or ended[0][2] is None:
            raise WavezooError(f"no trial of {variant} came to an end; {self._reason(jobs[0])} says why.")
        pick = max if ended[0][2].higher_is_better else min
        return pick(ended, key=lambda each: each[0])[1]

    def open_jobs(self) -> Iterator[Job]:
        """Return the trainings that are not over and that can begin."""
        for variant in self.plan.comparison.variants:
            choice = self.chosen(variant)
            jobs = self.plan.trials(variant) if choice is None else self.plan.seeded(variant, choice)
            for job in jobs:
                if not (self.trial(job).ended if job.seed is None else self.summary(job)):
                    yield job

    def folder(self, job: Job) -> Path:
        """Return where a training's run folder lies."""
        return self.out / job.folder

    def summary(self, job: Job) -> Summary | None:
        """Return what a training found; None before its end.

        Raises:
            WavezooError: if it is not the one that the comparison asks for.
        """
        folder = RunFolder(self.folder(job))
        if not folder.path.is_dir() or (found := folder.read_summary()) is None:
            return None
        begun, planned = (_deciding(each) for each in (folder.read_recipe(), self.plan.recipe(job)))
        if differing := [key for key in {**begun, **planned} if begun.get(key) != planned.get(key)]:
            key = differing[0]
            raise WavezooError(
                f"{folder.path} was trained with {key} {begun.get(key)!r}, and the comparison asks for "
                f"{planned.get(key)!r}. Name another folder with --out."
            )
        return found

    def trial(self, job: Job) -> Trial:
        """Return what became of a trial."""
        return Trial(self.folder(job), self.summary(job), self._reason(job))

    def claim(self, job: Job) -> Path:
        """Return the folder whose lock says that a process works on the job."""
        return self.out / CLAIM / job.folder

    def run(self, job: Job, device: str, console: Console) -> None:
        """Train, or go on with, what a job says; a trial that diverges leaves a file that says so.

        Raises:
            WavezooError: if it cannot be trained.
        """
        folder, recipe = self.folder(job), self.plan.recipe(job)
        begun = folder.is_dir() and any(folder.iterdir())
        try:
            resume(folder, recipe, device=device, console=console) if begun else train(recipe, folder, device, console)
        except WavezooError as error:
            if job.seed is not None or not folder.is_dir():
                raise
            reason = self._reason(job)
            reason.parent.mkdir(parents=True, exist_ok=True)
            with writing(reason) as beside:
                beside.write_text(f"{error}\n", encoding="utf-8")

    def _reason(self, job: Job) -> Path:
        return self.out / FAILED / job.folder.with_suffix(".txt")


def compare(
    comparison: Comparison,
    out: Path,
    overrides: Sequence[str] = (),
    device: str = "auto",
    small: bool = False,
    console: Console | None = None,
    say: Callable[[str], None] = lambda line: None,
) -> Trainings:
    """Train everything that is not trained yet, and return it.

    Several processes may be given one folder: each takes what no other works on. What was interrupted goes on.

    Args:
        comparison: what is compared.
        out: the folder of its run folders.
        overrides: ``key=value``, in place of everybody's own.
        device: as for `wavezoo.train.train`.
        small: make every training a smoke test.
        console: where progress is shown.
        say: told what begins and what ends.

    Raises:
        WavezooError: if something in it cannot work, before anything is written; or if a training cannot be finished.
        InterruptedTraining: after SIGTERM or Ctrl-C, when everything is saved.
    """
    trainings = Trainings(Plan(comparison, tuple(overrides), small), out)
    for job in {job.variant: job for job in trainings.open_jobs()}.values():
        check_recipe(trainings.plan.recipe(job))
    while jobs := list(trainings.open_jobs()):
        worked = False
        for job in jobs:
            worked = _worked(trainings, job, device, console or Console(quiet=True), say)
            if worked:
                break
        if not worked:
            time.sleep(WAIT_SECONDS)
    return trainings


def record_of(trainings: Trainings, command: str, root: Path) -> Record:
    """Return the numbers of a comparison whose trainings are over, a row for each variant.

    Args:
        trainings: the trainings.
        command: what trained them.
        root: the checkout that they were trained with.
    """
    comparison = trainings.plan.comparison
    rows, summaries = [], []
    for variant in comparison.variants:
        choice = trainings.chosen(variant) or {}
        found = [each for job in trainings.plan.seeded(variant, choice) if (each := trainings.summary(job)) is not None]
        if len(found) < len(comparison.seeds):
            raise WavezooError(f"{variant} is not trained with every seed yet. Finish it: {command}.")
        summaries += found
        rows.append(_row(variant, choice, found))
    first = summaries[0]
    share: dict[str, Any] = {"unit": "%", "scale": 0.01, "digits": 2} if first.higher_is_better else {}
    return Record(
        title=comparison.title,
        caption=comparison.caption,
        command=command,
        seeds=comparison.seeds,
        date=time.strftime("%Y-%m-%d"),
        commit=commit_of(root),
        versions=first.versions,
        machine=Machine(processor=processor() if first.device == "cpu" else first.device),
        columns=[
            Column(key="variant", title="model"),
            Column(key="parameters", title="parameters", unit="K", scale=1e3, digits=1),
            *(Column(key=key, title=key.rpartition(".")[2]) for key in comparison.choose),
            Column(key=first.decides, title=first.decides.replace("_", " "), **share),
            Column(key="seconds", title="minutes", scale=60, digits=1, spread=False),
        ],
        rows=rows,
    )


def _deciding(recipe: Recipe) -> dict[str, Any]:
    """Return what a result depends on."""
    return {key: value for key, value in flat(recipe.model_dump(mode="json")).items() if key not in FREE_KEYS}


def _row(variant: str, choice: Settings, found: Sequence[Summary]) -> dict[str, Cell]:
    return {
        "variant": variant,
        "parameters": found[0].parameters,
        **{key: value if isinstance(value, int | float | str) else str(value) for key, value in choice.items()},
        found[0].decides: [each.result for each in found],
        "seconds": [round(each.seconds, 1) for each in found],
    }


def _worked(trainings: Trainings, job: Job, device: str, console: Console, say: Callable[[str], None]) -> bool:
    """Train ``job`` unless another process does, and return whether anything became of it here."""
    claim, lock = trainings.claim(job), FolderLock()
    claim.mkdir(parents=True, exist_ok=True)
    if not lock.acquire(claim):
        return False
    try:
        # Another process may have ended it since this one looked.
        if job in trainings.open_jobs():
            say(f"{job.folder}: begins")
            trainings.run(job, device, console)
            say(f"{job.folder}: {_said(trainings.summary(job))}")
        return True
    finally:
        lock.release(claim)


def _said(summary: Summary | None) -> str:
    if summary is None:
        return "came to no end"
    return f"{summary.decides} {summary.result:.4g} in {summary.seconds:.0f} s"
