"""Commands that measure speed and memory."""

from pathlib import Path
from typing import Annotated, Any

import typer

from wavezoo.cli.options import Device
from wavezoo.cli.output import say
from wavezoo.cli.reports import chosen_form, say_report, text_of
from wavezoo.errors import WavezooError

app = typer.Typer(help="Measure speed and memory, side by side in one run.", rich_markup_mode=None)

Json = Annotated[bool, typer.Option("--json", help="Print the numbers as JSON, with device and versions.")]
Csv = Annotated[bool, typer.Option("--csv", help="Print the numbers as CSV.")]
Markdown = Annotated[bool, typer.Option("--markdown", help="Print the table in Markdown.")]
Compiled = Annotated[bool, typer.Option("--compile", help="Measure compiled versions beside the eager ones.")]
Repeats = Annotated[int, typer.Option(help="How often each is timed; three times where that takes long.")]


@app.command()
def operator(
    grid: Annotated[
        list[str] | None, typer.Option("--grid", help="A grid, such as 28x28 or 1024; may be repeated. Six by default.")
    ] = None,
    batch: Annotated[
        list[int] | None, typer.Option(help="A batch size; may be repeated. 1, 2 and 8 or 16 by default.")
    ] = None,
    only: Annotated[
        list[str] | None, typer.Option(help="Part of a contender's name, to leave others out; may be repeated.")
    ] = None,
    repeats: Repeats = 7,
    compiled: Compiled = False,
    json_: Json = False,
    csv: Csv = False,
    markdown: Markdown = False,
    device: Device = "auto",
) -> None:
    """Time the operator of each preset against attention, convolutions, a naive solver and its bare transforms."""
    from wavezoo.bench import bench_operator, operator_cases, operator_ratios, operator_report
    from wavezoo.devices import find_device

    form, where = chosen_form(json_, csv, markdown), find_device(device)
    cases = operator_cases([_grid(text) for text in grid or []], batch or [])
    groups = bench_operator(cases, where, repeats, compiled, only or [])
    say_report(groups, operator_report, form, _facts(where), operator_ratios)


@app.command()
def models(
    models: Annotated[list[str] | None, typer.Argument(help="Image models; pico, nano and tiny if left.")] = None,
    size: Annotated[int, typer.Option(help="Side of the images.")] = 224,
    batch: Annotated[list[int] | None, typer.Option(help="Images at a time; may be repeated. 1, 2, 16.")] = None,
    preset: Annotated[
        list[str] | None,
        typer.Option(help="A preset; may be repeated. By default the models' own, and in batches of two all."),
    ] = None,
    repeats: Repeats = 5,
    compiled: Compiled = False,
    json_: Json = False,
    csv: Csv = False,
    markdown: Markdown = False,
    device: Device = "auto",
) -> None:
    """Measure image models beside timm's convnext and poolformerv2 of their size."""
    from wavezoo.bench import MODELS, bench_models, model_ratios, models_report
    from wavezoo.bench.models import BATCHES
    from wavezoo.devices import find_device

    form, where = chosen_form(json_, csv, markdown), find_device(device)
    groups = bench_models(models or MODELS, where, size, batch or BATCHES, repeats, preset or (), compiled)
    say_report(groups, lambda measured: models_report(measured, size), form, _facts(where), model_ratios)


@app.command()
def sequence(
    model: Annotated[str, typer.Argument(help="A sequence model.")] = "wavepde_seq_tiny",
    mixer: Annotated[
        list[str] | None, typer.Option(help="A mixer; may be repeated. wave and attention by default.")
    ] = None,
    length: Annotated[
        list[int] | None, typer.Option(help="A length; may be repeated. 1024, 4096 and 16384 by default.")
    ] = None,
    batch: Annotated[
        list[int] | None, typer.Option(help="A batch size; may be repeated. 1, 2 and 16 by default, on short ones.")
    ] = None,
    repeats: Repeats = 5,
    compiled: Compiled = False,
    json_: Json = False,
    csv: Csv = False,
    markdown: Markdown = False,
    device: Device = "auto",
) -> None:
    """Measure how time and memory of a sequence model grow with the length, with each mixer."""
    from wavezoo.bench import bench_sequence, sequence_cases, sequence_ratios, sequence_report
    from wavezoo.bench.report import growth
    from wavezoo.bench.sequence import MIXERS
    from wavezoo.devices import find_device

    form, where = chosen_form(json_, csv, markdown), find_device(device)
    cases = sequence_cases(length or [], batch or [])
    groups = bench_sequence(model, mixer or MIXERS, cases, where, repeats, compiled)
    whole = say_report(groups, lambda found: sequence_report(found, model), form, _facts(where), sequence_ratios)
    if form == "text":
        for line in growth(whole.rows):
            say(line)


@app.command()
def transforms(
    grid: Annotated[
        list[str] | None, typer.Option("--grid", help="A grid, such as 64x64 or 256; may be repeated.")
    ] = None,
    repeats: Repeats = 7,
    json_: Json = False,
    csv: Csv = False,
    markdown: Markdown = False,
    device: Device = "auto",
) -> None:
    """Measure what is faster on which grid, the Laplacian by FFT or by matrix products."""
    from wavezoo.bench import bench_transforms, transforms_report
    from wavezoo.devices import find_device

    form, where = chosen_form(json_, csv, markdown), find_device(device)
    grids = [_grid(text) for text in grid or []]
    say_report([list(bench_transforms(grids, where, repeats))], transforms_report, form, _facts(where))


@app.command(name="all")
def all_(
    out: Annotated[Path, typer.Option(help="The folder of the records; what is there is not measured again.")],
    only: Annotated[list[str] | None, typer.Option(help="A table by name; may be repeated. All by default.")] = None,
    repeats: Repeats = 5,
    smoke: Annotated[bool, typer.Option("--smoke", help="Measure little of everything, in a minute.")] = False,
    device: Device = "auto",
) -> None:
    """Measure every performance table of the documents, each a record OUT/bench_NAME.json.

    A table that is there, of the same command, commit, versions and machine, is left as it is: what was broken off goes
    on.
    """
    from wavezoo.bench.suite import measure_all
    from wavezoo.devices import find_device

    for file, report in measure_all(out, find_device(device), only or [], repeats, smoke, say):
        say(f"\n{report.title}\n\n{text_of(report)}\n{file}")


def _facts(device: Any) -> dict[str, Any]:
    import torch

    return {"device": str(device), "threads": torch.get_num_threads(), "torch": torch.__version__}


def _grid(text: str) -> tuple[int, ...]:
    try:
        return tuple(int(size) for size in text.split("x"))
    except ValueError:
        raise WavezooError(f"--grid {text!r} is not a grid; give sizes such as 1024 or 28x28.") from None
