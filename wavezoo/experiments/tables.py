"""Tables of README and docs, made from records between markers.

``<!-- results: NAME -->`` and ``<!-- /results -->``, each on a line of its own, hold the table of one record with what
made it; several names, the means of each record side by side.
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import mean, stdev

from wavezoo.errors import WavezooError
from wavezoo.experiments.records import FOLDER, Cell, Column, Record, read_record
from wavezoo.files import is_folder, writing

BLOCK = re.compile(r"^(<!-- results: ([\w -]+?) -->)\n.*?^(<!-- /results -->)$", re.DOTALL | re.MULTILINE)


def update(root: Path, check: bool = False) -> list[Path]:
    """Make the tables of ``README.md`` and ``docs`` anew from the records in ``docs/results``.

    Args:
        root: the checkout.
        check: write nothing, and refuse where a table differs from its record.

    Returns:
        The files that were changed.

    Raises:
        WavezooError: if ``root`` is no checkout, a record is missing or damaged, or, with ``check``, a table differs.
    """
    if not is_folder(root / FOLDER):
        raise WavezooError(
            f"{root} holds no {FOLDER.as_posix()}. Run this in a checkout of wavezoo, or name it with --root."
        )
    changed = []
    for file in [root / "README.md", *sorted((root / "docs").rglob("*.md"))]:
        text = file.read_text(encoding="utf-8") if file.is_file() else ""
        made = BLOCK.sub(lambda found: f"{found[1]}{_block(root, found[2].split())}{found[3]}", text)
        if made != text:
            changed.append(file)
            if not check:
                with writing(file) as beside:
                    beside.write_text(made, encoding="utf-8")
    if check and changed:
        names = ", ".join(str(file.relative_to(root)) for file in changed)
        raise WavezooError(
            f"tables differ from their records in {names}. Run `wavezoo results`, which makes them anew."
        )
    return changed


def render(record: Record) -> str:
    """Return a record as a Markdown table with its caption and what made it."""
    parts = [_table(heads(record.columns), [cells(record.columns, row) for row in record.rows])]
    return "\n".join([*parts, "", *([record.caption, ""] if record.caption else []), _made_by(record), ""])


def render_together(records: Sequence[Record]) -> str:
    """Return the means of several records' first number for each seed, a column each, rows by their first key."""
    columns = [(record, _measured(record)) for record in records]
    names = list(dict.fromkeys(str(row[record.columns[0].key]) for record in records for row in record.rows))
    rows = []
    for name in names:
        cells = [_code(records[0].columns[0], name)]
        for record, column in columns:
            row = next((each for each in record.rows if each[record.columns[0].key] == name), {})
            cells.append(_average(column, row.get(column.key)))
        rows.append(cells)
    heads = [f"{record.title}, {column.unit}" if column.unit else record.title for record, column in columns]
    return _table([records[0].columns[0].title, *heads], rows)


def _block(root: Path, names: Sequence[str]) -> str:
    records = [read_record(root, name) for name in names]
    return f"\n\n{(render(records[0]) if len(records) == 1 else render_together(records)).rstrip()}\n\n"


def _measured(record: Record) -> Column:
    for column in record.columns:
        if any(isinstance(row.get(column.key), list) for row in record.rows):
            return column
    raise WavezooError(f"the record {record.title!r} has no number for each seed, and so none to show beside others.")


def heads(columns: Sequence[Column]) -> list[str]:
    """Return the heads of columns with their units."""
    return [f"{column.title}, {column.unit}" if column.unit else column.title for column in columns]


def cells(columns: Sequence[Column], row: Mapping[str, Cell]) -> list[str]:
    """Return what a row shows in each of ``columns``."""
    return [_cell(column, row.get(column.key)) for column in columns]


def _cell(column: Column, value: Cell) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        return _code(column, value)
    if isinstance(value, list):
        if not column.spread:
            return _number(column, mean(value))
        return f"{_average(column, value)} ({', '.join(_number(column, each) for each in value)})"
    return _number(column, value)


def _average(column: Column, value: Cell) -> str:
    if not isinstance(value, list):
        return _cell(column, value)
    spread = f" ± {_number(column, stdev(value))}" if len(value) > 1 else ""
    return f"{_number(column, mean(value))}{spread}"


def _number(column: Column, value: float) -> str:
    shown = value / column.scale
    return f"{shown:.3g}" if column.digits is None else f"{shown:.{column.digits}f}"


def _code(column: Column, text: str) -> str:
    return f"`{text}`" if column.code else text


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _made_by(record: Record) -> str:
    machine = record.machine
    cores = f"{machine.cores} core{'s' * (machine.cores != 1)}" if machine.cores else ""
    where = " ".join(filter(None, (machine.processor and f"{machine.processor},", cores, machine.note))).rstrip(",")
    versions = ", ".join(f"{name} {version}" for name, version in record.versions.items())
    seeds = f"Seeds {', '.join(map(str, record.seeds))}, mean ± sample standard deviation. " if record.seeds else ""
    made = f"{seeds}Made by `{record.command}` at commit {record.commit} ({record.date})"
    return f"{made}; {where or 'machine not recorded'}; {versions or 'versions not recorded'}."
