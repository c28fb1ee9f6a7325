"""The command line: the commands, each imported from its group, and what becomes of what they raise."""

import sys
import warnings
from collections.abc import Sequence
from contextlib import suppress

import typer

from wavezoo.cli import bench, compare, export, generate, names, results, sample, training
from wavezoo.cli.faults import exit_code_of
from wavezoo.errors import PluginWarning

app = typer.Typer(
    help="Wave-equation layers for PyTorch: train recipes, list and check schemes.",
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.command()(training.train)
app.command()(training.evaluate)
app.command()(training.runs)
app.command()(compare.compare)
app.command()(sample.sample)
app.command()(export.export)
app.command(name="list")(names.list_)
app.command()(names.describe)
app.command(name="plugins")(names.plugins)
app.command()(names.check)
app.add_typer(generate.app, name="generate")
app.add_typer(bench.app, name="bench")
app.add_typer(results.app, name="results")


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and leave the process.

    The exit code is 0; 1 where a check failed; 2 after one message on what the user can mend; 70 after one line on a
    fault of wavezoo; 130 and 143 after Ctrl-C and SIGTERM.

    Args:
        arguments: what follows ``wavezoo``; those of the process by default.
    """
    # A name may hold bytes that are no text.
    with suppress(AttributeError, ValueError):
        sys.stdout.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    given = list(sys.argv[1:] if arguments is None else arguments)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PluginWarning)
        code = exit_code_of(lambda: app(given or ["--help"], prog_name="wavezoo", standalone_mode=False))
    sys.exit(code)
