"""What the commands print: plain lines, for people and for scripts, however the reader behaves."""

import csv
import errno
import functools
import io
import json
import os
import sys
import textwrap
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any, cast

from wavezoo.errors import WavezooError

if TYPE_CHECKING:
    from rich.console import Console


class PatientOutput(io.TextIOBase):
    """Standard output that may end before the command does, as with ``| head``: the rest is dropped without a word.

    A training goes on, since what it leaves is its run folder.
    """

    encoding = "utf-8"

    def write(self, text: str) -> int:
        try:
            return sys.stdout.write(text)
        except UnicodeEncodeError:
            encoding = sys.stdout.encoding or "ascii"
            return sys.stdout.write(text.encode(encoding, "backslashreplace").decode(encoding))
        except OSError as error:
            return _gone(error, len(text))

    def flush(self) -> None:
        try:
            sys.stdout.flush()
        except OSError as error:
            _gone(error, 0)

    def isatty(self) -> bool:
        return sys.stdout.isatty()

    def fileno(self) -> int:
        return sys.stdout.fileno()


@functools.cache
def console() -> "Console":
    """Return the console on which trainings show their progress; it takes no text for markup."""
    from rich.console import Console

    # Rich asks the file for its width and colours, and never cuts a line with soft_wrap.
    return Console(file=cast(IO[str], PatientOutput()), highlight=False, markup=False, emoji=False, soft_wrap=True)


def say(text: str) -> None:
    """Print a line to standard output."""
    output = PatientOutput()
    output.write(f"{text}\n")
    output.flush()


def say_aside(text: str) -> None:
    """Print a line to standard error."""
    # Nobody may be listening there either.
    with suppress(OSError):
        print(text, file=sys.stderr, flush=True)


def say_json(content: object, indent: int | None = None) -> None:
    """Print ``content`` as JSON."""
    say(json.dumps(content, indent=indent))


@dataclass(frozen=True)
class Table:
    """A table of texts.

    Attributes:
        header: the names of the columns.
        rows: as many texts each.
        title: what stands above.
        numbers: whether all columns but the first hold numbers, which are aligned on the right.
    """

    header: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]
    title: str = ""
    numbers: bool = False

    def text(self) -> str:
        """Return the table with aligned columns, nothing cut."""
        rows = [self.header, *self.rows] if self.header else list(self.rows)
        widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
        lines = ["  ".join(self._cells(row, widths)).rstrip() for row in rows]
        return "\n".join(([self.title] if self.title else []) + lines)

    def fitted(self, width: int) -> str:
        """Return the table in blocks of columns that fit ``width`` letters; nothing is cut.

        Each block repeats the first column. Columns of numbers are aligned on the right.
        """
        columns = [_Column(head, cells) for head, *cells in zip(self.header, *self.rows, strict=True)]
        blocks, left = [[columns[0]]], width - columns[0].width
        for column in columns[1:]:
            if left < column.width + 2 and len(blocks[-1]) > 1:
                blocks.append([columns[0]])
                left = width - columns[0].width
            blocks[-1].append(column)
            left -= column.width + 2
        return "\n\n".join("\n".join(_lines(block)) for block in blocks)

    def markdown(self) -> str:
        """Return the table in Markdown."""
        rule = ["---", *("---:" if self.numbers else "---" for _ in self.header[1:])]
        rows = [self.header, rule, *self.rows]
        return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows)

    def _cells(self, row: Sequence[str], widths: Sequence[int]) -> list[str]:
        return [
            cell.rjust(width) if self.numbers and column else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]


class _Column:
    """A column whose head is written on as many lines as its cells leave room for."""

    def __init__(self, head: str, cells: Sequence[str]) -> None:
        self.width = max(len(text) for text in (*head.split(), *cells))
        self.head = textwrap.wrap(head, self.width)
        self.cells = cells
        self.numbers = all(cell[:1].isdigit() for cell in cells if cell)

    def lines(self, tall: int) -> list[str]:
        """Return head, on ``tall`` lines, and cells, all as wide as the column."""
        texts = [""] * (tall - len(self.head)) + self.head + list(self.cells)
        return [text.rjust(self.width) if self.numbers else text.ljust(self.width) for text in texts]


def _lines(columns: Sequence[_Column]) -> list[str]:
    tall = max(len(column.head) for column in columns)
    return ["  ".join(row).rstrip() for row in zip(*(column.lines(tall) for column in columns), strict=True)]


def as_csv(records: Sequence[Mapping[str, Any]]) -> str:
    """Return records with the same keys as CSV, a line each under their keys."""
    written = io.StringIO()
    rows = csv.DictWriter(written, list(records[0]) if records else [], lineterminator="\n")
    rows.writeheader()
    rows.writerows({key: _cell(value) for key, value in record.items()} for record in records)
    return written.getvalue().rstrip("\n")


def _cell(value: Any) -> Any:
    return "x".join(str(each) for each in value) if isinstance(value, (tuple, list)) else value


def _gone(error: OSError, written: int) -> int:
    if error.errno not in (errno.EPIPE, errno.EINVAL):
        raise WavezooError(f"standard output cannot be written: {error.strerror}.") from error
    # What is still buffered would raise once more at exit.
    with suppress(OSError, ValueError, AttributeError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return written
