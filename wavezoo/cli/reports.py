"""How a measurement is printed: as text, CSV, JSON or Markdown, all from one report."""

import shutil
import textwrap
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

from wavezoo.cli.output import Table, as_csv, say, say_json
from wavezoo.errors import WavezooError

if TYPE_CHECKING:
    from wavezoo.bench import Report
    from wavezoo.bench.report import Row

Form = Literal["text", "json", "csv", "markdown"]
Ratios = Callable[[Sequence["Row"]], Iterator["Row"]]


def chosen_form(json: bool, csv: bool, markdown: bool) -> Form:
    """Return the form that options ask for, text if none.

    Raises:
        WavezooError: if they ask for several.
    """
    if json + csv + markdown > 1:
        raise WavezooError("--json, --csv and --markdown exclude each other; give one of them.")
    return "json" if json else "csv" if csv else "markdown" if markdown else "text"


def say_report(
    groups: Iterable[Sequence[Any]],
    report: Callable[[Sequence[Any]], "Report"],
    form: Form,
    facts: Mapping[str, Any],
    ratios: Ratios | None = None,
) -> "Report":
    """Print measurements, as text group by group as they come, and return the report of all.

    Args:
        groups: measurements that belong together.
        report: makes a report of measurements.
        form: how to print.
        facts: what made them, for JSON.
        ratios: what to print of the rows below them; CSV leaves it out.
    """
    from wavezoo.bench import ratios_report

    measured: list[Any] = []
    for group in groups:
        measured += group
        if form == "text":
            say(text_of(report(group)))
    whole = report(measured)
    beside = ratios_report(ratios(whole.rows)) if ratios else None
    if form == "json":
        said = {**facts, "title": whole.title, "caption": whole.caption, "rows": whole.rows}
        say_json(said | ({"ratios": beside.rows} if beside else {}), indent=1)
    elif form == "csv":
        say(as_csv(whole.rows))
    elif form == "markdown":
        say("\n\n".join(markdown_of(each) for each in (whole, beside) if each and each.rows))
    else:
        say(
            "\n".join(
                [*([text_of(beside)] if beside and beside.rows else []), textwrap.fill(_plain(whole.caption), _width())]
            )
        )
    return whole


def text_of(report: "Report") -> str:
    """Return a report as text, case by case, no wider than the terminal, or than 80 letters where there is none."""
    titles = {column.key: column.title for column in report.columns}
    parts = []
    for case, rest in report.cases():
        named = ", ".join(f"{titles[key]} {value}" for key, value in case.items())
        parts.append("\n".join(filter(None, (named, _table(rest).fitted(_width())))) + "\n")
    return "\n".join(parts)


def markdown_of(report: "Report") -> str:
    """Return a report as a table in Markdown with its title and caption."""
    return f"{report.title}\n\n{_table(report).markdown()}\n\n{report.caption}"


def _width() -> int:
    return shutil.get_terminal_size((80, 24)).columns


def _table(report: "Report") -> Table:
    from wavezoo.experiments.tables import cells, heads

    rows = [tuple(cells(report.columns, row)) for row in report.rows]
    return Table(tuple(heads(report.columns)), [tuple(map(_plain, row)) for row in rows], numbers=True)


def _plain(text: str) -> str:
    return text.replace("`", "").replace("*", "")
