"""Committed records of measurements, and the tables made from them."""

from pathlib import Path
from typing import Annotated

import typer

from wavezoo.cli.output import say

app = typer.Typer(help="Make the tables of README and docs from the records in docs/results.")
Root = Annotated[Path, typer.Option(help="The checkout of wavezoo that holds README.md and docs.")]


@app.callback(invoke_without_command=True)
def results(
    context: typer.Context,
    check: Annotated[
        bool, typer.Option("--check", help="Change nothing; fail where a table is not its record's.")
    ] = False,
    root: Root = Path(),
) -> None:
    """Make the tables of README and docs from the records in docs/results."""
    if context.invoked_subcommand is not None:
        return
    from wavezoo.experiments.tables import update

    changed = update(root, check)
    say("\n".join(str(file) for file in changed) or "every table is that of its record")


@app.command()
def add(
    name: Annotated[str, typer.Argument(help="The record, docs/results/NAME.json.")],
    runs: Annotated[list[Path], typer.Argument(help="Ended runs that differ in their seeds and in what is compared.")],
    title: Annotated[str, typer.Option(help="Of the table; the recipe's name by default.")] = "",
    caption: Annotated[str, typer.Option(help="What a reader has to know.")] = "",
    root: Root = Path(),
) -> None:
    """Make a record of ended runs: a row for each setting, a number for each seed."""
    from wavezoo.experiments.collect import add as add_record

    say(str(add_record(root, name, runs, title, caption)))
