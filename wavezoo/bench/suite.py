"""Every performance table of the documents, each as a record, by one command that goes on where it was broken off."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import torch

from wavezoo.bench.contenders import presets
from wavezoo.bench.models import BATCHES as MODEL_BATCHES
from wavezoo.bench.models import MODELS, bench_models
from wavezoo.bench.operator import bench_operator, operator_cases
from wavezoo.bench.ratios import model_ratios, operator_ratios, ratios_report, sequence_ratios
from wavezoo.bench.report import Report, Row, models_report, operator_report, sequence_report, transforms_report
from wavezoo.bench.sequence import MIXERS, bench_sequence, sequence_cases
from wavezoo.bench.transforms import bench_transforms
from wavezoo.errors import not_allowed
from wavezoo.experiments.collect import commit_of, processor
from wavezoo.experiments.records import Machine, Record, read_record_file, write_record_file
from wavezoo.files import find_path
from wavezoo.runs.folder import versions

CHECKOUT = Path(__file__).parent.parent.parent
Measured = TypeVar("Measured")
RATIOS = "ratios"
SEQUENCE_MODEL = "wavepde_seq_tiny"


@dataclass(frozen=True)
class Effort:
    """How much is measured.

    Attributes:
        device: where.
        repeats: how often each contender is timed.
        smoke: whether to measure little of everything.
    """

    device: torch.device
    repeats: int
    smoke: bool


def _operator(effort: Effort) -> Report:
    cases = operator_cases([(6, 5)], [1]) if effort.smoke else operator_cases()
    return operator_report(_all(bench_operator(cases, effort.device, effort.repeats)))


def _operator_compiled(effort: Effort) -> Report:
    cases = [((8,), 1)] if effort.smoke else [((28, 28), 16), ((1024,), 8)]
    only = ("layer: closed_form", "layer: stepped", "solver: stepped", "attention")
    return operator_report(_all(bench_operator(cases, effort.device, effort.repeats, True, only)))


def _models(effort: Effort) -> Report:
    size, batches, names = (64, (1,), MODELS[:1]) if effort.smoke else (224, MODEL_BATCHES, MODELS)
    return models_report(_all(bench_models(names, effort.device, size, batches, effort.repeats)), size)


def _models_compiled(effort: Effort) -> Report:
    size, batch, names = (64, 1, MODELS[:1]) if effort.smoke else (224, 2, MODELS[-1:])
    measured = bench_models(names, effort.device, size, (batch,), effort.repeats, presets()[:1], True)
    return models_report(_all(measured), size)


def _sequence(effort: Effort) -> Report:
    cases = [(64, 1)] if effort.smoke else sequence_cases()
    return sequence_report(
        _all(bench_sequence(SEQUENCE_MODEL, MIXERS, cases, effort.device, effort.repeats)), SEQUENCE_MODEL
    )


def _transforms(effort: Effort) -> Report:
    grids = [(8,), (8, 8)] if effort.smoke else []
    return transforms_report(list(bench_transforms(grids, effort.device, effort.repeats)))


TABLES: dict[str, Callable[[Effort], Report]] = {
    "operator": _operator,
    "operator_compiled": _operator_compiled,
    "models": _models,
    "models_compiled": _models_compiled,
    "sequence": _sequence,
    "transforms": _transforms,
}
# What the ratios are taken from.
COMPARED: dict[str, Callable[[Sequence[Row]], Iterator[Row]]] = {
    "operator": operator_ratios,
    "operator_compiled": operator_ratios,
    "models": model_ratios,
    "models_compiled": model_ratios,
    "sequence": sequence_ratios,
}


def measure_all(
    out: Path,
    device: torch.device,
    only: Sequence[str] = (),
    repeats: int = 5,
    smoke: bool = False,
    told: Callable[[str], None] = lambda line: None,
) -> Iterator[tuple[Path, Report]]:
    """Measure tables, write each as the record ``out/bench_NAME.json`` and yield its file and report.

    A record of the same command, commit, versions and machine is kept; one of changed code, whose commit says
    ``dirty``, is measured again. Last come the ratios in the tables that are there, if ``only`` leaves them in.

    Args:
        out: the folder of the records, which is made.
        device: where to measure.
        only: names in ``TABLES``, or ``"ratios"``; all by default.
        repeats: how often each contender is timed.
        smoke: whether to measure little of everything.
        told: what is being done, line by line.

    Raises:
        WavezooError: if there is no such table, a record there is damaged, or one cannot be written.
    """
    names = [*TABLES, RATIOS]
    for name in only:
        if name not in names:
            raise not_allowed("table", name, names)
    effort, folder = Effort(device, repeats, smoke), find_path(out, "folder of records")
    for name in (each for each in TABLES if not only or each in only):
        file, head = _file(folder, name), _head(name, effort)
        if _finished(file, head):
            told(f"{file} is there")
            continue
        told(f"measuring {name}")
        report = TABLES[name](effort)
        write_record_file(file, head.model_copy(update=_content(report)))
        yield file, report
    if not only or RATIOS in only:
        yield from _ratios(folder, effort)


def _ratios(folder: Path, effort: Effort) -> Iterator[tuple[Path, Report]]:
    """Write and yield the ratios in the records of ``folder``, of the preset of the models and of the stepped one."""
    found = {name: read_record_file(_file(folder, name)) for name in COMPARED if _file(folder, name).is_file()}
    others = [preset for preset in presets()[1:] if preset != "stepped"]
    rows = [
        row
        for name, record in found.items()
        for row in COMPARED[name](record.rows)
        if not any(preset in str(row["ours"]) for preset in others)
    ]
    report = ratios_report(rows)
    head = _head(RATIOS, effort)
    commits = ", ".join(dict.fromkeys(record.commit for record in found.values()))
    file = write_record_file(_file(folder, RATIOS), head.model_copy(update={**_content(report), "commit": commits}))
    yield file, report


def _all(groups: Iterator[list[Measured]]) -> list[Measured]:
    return [each for group in groups for each in group]


def _file(folder: Path, name: str) -> Path:
    return folder / f"bench_{name}.json"


def _head(name: str, effort: Effort) -> Record:
    """Return the record of a table without the table."""
    cpu = effort.device.type == "cpu"
    command = ["wavezoo bench all --out FOLDER", f"--only {name}", f"--repeats {effort.repeats}"]
    command += [f"--device {effort.device.type}"] * (not cpu) + ["--smoke"] * effort.smoke
    threads = torch.get_num_threads()
    model = processor() if cpu else torch.cuda.get_device_name(effort.device) if effort.device.type == "cuda" else "mps"
    return Record(
        title="",
        command=" ".join(command),
        date=time.strftime("%Y-%m-%d"),
        commit=commit_of(CHECKOUT),
        versions=versions(),
        machine=Machine(processor=model, cores=threads if cpu else None),
        columns=[],
        rows=[],
    )


def _content(report: Report) -> dict[str, object]:
    return {"title": report.title, "caption": report.caption, "columns": [*report.columns], "rows": report.rows}


def _finished(file: Path, head: Record) -> bool:
    """Return whether ``file`` holds the table that ``head`` describes."""
    if not file.is_file() or head.commit.endswith("-dirty"):
        return False
    record = read_record_file(file)
    same = ("command", "commit", "versions", "machine")
    return all(getattr(record, each) == getattr(head, each) for each in same)
