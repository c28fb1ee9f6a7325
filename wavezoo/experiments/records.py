"""A record: numbers that were measured, with what is needed to measure them again.

Records are JSON files in ``docs/results``; their names are those of the tables made from them.
"""

import json
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from wavezoo.errors import WavezooError, not_allowed
from wavezoo.files import writing

FOLDER = Path("docs") / "results"
FORMAT = 1

Cell = str | int | float | list[int | float] | None


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Column(_Strict):
    """How the numbers of one key are shown.

    Args:
        key: of the rows.
        title: the column's head.
        unit: said behind the title, such as ``%``.
        scale: one unit in the units that are recorded: 0.01 where fractions are shown in percent.
        digits: after the decimal point; three significant digits if None.
        code: whether texts are set as code.
        spread: whether numbers for each seed are shown one by one with their deviation; their mean alone if not.
    """

    key: str
    title: str
    unit: str = ""
    scale: float = 1.0
    digits: int | None = None
    code: bool = False
    spread: bool = True


class Machine(_Strict):
    """What it was measured on: a kind of machine, never a name.

    Args:
        processor: the processor's model, or the accelerator's.
        cores: how many were used.
        note: what else mattered, such as other work beside.
    """

    processor: str | None = None
    cores: int | None = None
    note: str = ""


class Record(_Strict):
    """One table's numbers.

    Args:
        format: of the record, 1.
        title: of the table, a short one.
        caption: what a reader has to know to read it right.
        command: what makes the numbers, capitals in place of what varies.
        seeds: in the order of the numbers of a cell that has one for each.
        date: of the measurement, as YYYY-MM-DD.
        commit: that was measured.
        versions: of the packages that decide; empty if they were not recorded.
        machine: that it was measured on.
        columns: what is shown, in order; the first says what a row is.
        rows: by key: a text, a number, a number for each seed, or None where nothing was measured.
    """

    format: Literal[1] = 1
    title: str
    caption: str = ""
    command: str
    seeds: list[int] = []
    date: str
    commit: str
    versions: dict[str, str] = {}
    machine: Machine = Machine()
    columns: list[Column]
    rows: list[dict[str, Cell]]

    @model_validator(mode="after")
    def _agree(self) -> "Record":
        keys = {column.key for column in self.columns}
        for row in self.rows:
            if unknown := set(row) - keys:
                raise ValueError(f"a row has keys that no column shows: {', '.join(sorted(unknown))}")
            for key, cell in row.items():
                if isinstance(cell, list) and len(cell) != len(self.seeds):
                    raise ValueError(f"{key} has {len(cell)} numbers for {len(self.seeds)} seeds")
        return self


def read_record(root: Path, name: str) -> Record:
    """Return the record ``name`` of the checkout at ``root``.

    Raises:
        WavezooError: if there is none, or if it is damaged.
    """
    file = root / FOLDER / f"{name}.json"
    if not file.is_file():
        raise not_allowed("record", name, sorted(each.stem for each in (root / FOLDER).glob("*.json")))
    return read_record_file(file)


def read_record_file(file: Path) -> Record:
    """Return the record in ``file``.

    Raises:
        WavezooError: if it is damaged.
    """
    try:
        return Record.model_validate_json(file.read_bytes())
    except (OSError, ValidationError) as error:
        raise WavezooError(
            f"{file} is no record of format {FORMAT}: {_reason(error)}. Mend it, or remove it and make it anew."
        ) from None


def write_record(root: Path, name: str, record: Record) -> Path:
    """Write ``record`` as ``name`` into the checkout at ``root`` and return the file.

    Raises:
        WavezooError: if there is no room or no right to write.
    """
    return write_record_file(root / FOLDER / f"{name}.json", record)


def write_record_file(file: Path, record: Record) -> Path:
    """Write ``record`` to ``file``, which is returned.

    Raises:
        WavezooError: if there is no room or no right to write.
    """
    content = {"format": FORMAT} | record.model_dump(mode="json", exclude_defaults=True)
    rows = ",\n".join(f"    {json.dumps(row, ensure_ascii=False)}" for row in content.pop("rows"))
    columns = ",\n".join(f"    {json.dumps(each, ensure_ascii=False)}" for each in content.pop("columns"))
    head = json.dumps(content, indent=2, ensure_ascii=False).removesuffix("\n}")
    with writing(file) as beside:
        beside.write_text(f'{head},\n  "columns": [\n{columns}\n  ],\n  "rows": [\n{rows}\n  ]\n}}\n', encoding="utf-8")
    return file


def _reason(error: OSError | ValidationError) -> str:
    if isinstance(error, OSError):
        return str(error)
    first = error.errors()[0]
    return f"{'.'.join(str(part) for part in first['loc']) or 'the whole'}: {first['msg']}"
