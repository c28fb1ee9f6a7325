"""The command that trains a recipe's variants side by side."""

import shlex
from pathlib import Path
from typing import Annotated

import typer

from wavezoo.cli.options import Device, Plugins, load_plugins
from wavezoo.cli.output import console, say


def compare(
    comparison: Annotated[
        str, typer.Argument(help="A comparison's name, those in recipes/comparisons, or the path of a .yaml file.")
    ],
    out: Annotated[Path, typer.Option(help="The folder of its trainings; what is done there is not done again.")],
    overrides: Annotated[
        list[str] | None, typer.Option("--set", help="Replace a value in all trainings; may be repeated.")
    ] = None,
    plugin: Plugins = None,
    device: Device = "auto",
    smoke: Annotated[bool, typer.Option("--smoke", help="Make every training so small that it takes seconds.")] = False,
    record: Annotated[str | None, typer.Option(help="Write the numbers as docs/results/NAME.json.")] = None,
    root: Annotated[Path, typer.Option(help="The checkout of wavezoo that keeps the record.")] = Path(),
) -> None:
    """Train variants of a recipe, each with the settings that suit it best on validation samples, with several seeds.

    Start it several times with one --out to have several processes share the trainings.
    """
    from wavezoo.experiments.compare import compare as train_all
    from wavezoo.experiments.compare import record_of
    from wavezoo.experiments.comparison import find_comparison
    from wavezoo.experiments.records import write_record
    from wavezoo.experiments.tables import render

    load_plugins(plugin)
    found = find_comparison(comparison)
    trainings = train_all(found, out, overrides or [], device, smoke, console(), say)
    command = ["wavezoo", "compare", comparison, "--out", "FOLDER"]
    for override in overrides or []:
        key, _, _ = override.partition("=")
        command += ["--set", "data.path=FOLDER" if key == "data.path" else override]
    made = record_of(trainings, shlex.join(command + ["--smoke"] * smoke), root)
    say(render(made).rstrip())
    if record is not None:
        say(str(write_record(root, record, made)))
