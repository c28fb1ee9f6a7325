"""Commands that measure speed and memory."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from wavezoo.cli.options import Device
from wavezoo.cli.output import Table, as_csv, say, say_json
from wavezoo.errors import WavezooError

if TYPE_CHECKING:
    from wavezoo.bench import LengthMeasurement, Measurement, ModelMeasurement

app = typer.Typer(help="Measure speed and memory, side by side in one run.", rich_markup_mode=None)

Json = Annotated[bool, typer.Option("--json", help="Print the numbers as JSON, with device and versions.")]
Csv = Annotated[bool, typer.Option("--csv", help="Print the numbers as CSV.")]
Markdown = Annotated[bool, typer.Option("--markdown", help="Print the table in Markdown.")]
# The naive solver is what solvers are compared with, attention what layers are.
REFERENCES = ("solver: naive", "layer: attention")


@app.command()
def operator(
    grid: Annotated[
        list[str] | None, typer.Option("--grid", help="A grid, such as 28x28 or 1024; may be repeated. All by default.")
    ] = None,
    repeats: Annotated[int, typer.Option(help="How often each contender is timed.")] = 7,
    compiled: Annotated[bool, typer.Option("--compile/--no-compile", help="Measure compiled versions too.")] = True,
    json_: Json = False,
    csv: Csv = False,
    markdown: Markdown = False,
    device: Device = "auto",
) -> None:
    """Time the wave operator against a naive one, its bare Laplacians, attention and convolutions."""
    from wavezoo.bench import SIZES, bench_operator
    from wavezoo.devices import find_device

    raw = _raw(json_, csv, markdown)
    grids = [_grid(text) for text in grid] if grid else list(SIZES)
    where = find_device(device)
    measured: list[Any] = []
    for each in grids:
        found = list(bench_operator([each], where, repeats, compiled))
        measured += found
        if not raw:
            _say_table(_operator_table(found), markdown)
    if raw:
        _say_raw(measured, json_, str(where))


@app.command()
def models(
    models: Annotated[
        list[str] | None, typer.Argument(help="Image models; pico, nano, tiny, small, base if left.")
    ] = None,
    size: Annotated[int, typer.Option(help="Side of the images.")] = 224,
    batch: Annotated[int, typer.Option(help="Images at a time.")] = 2,
    repeats: Annotated[int, typer.Option(help="How often each model is timed.")] = 3,
    json_: Json = False,
    csv: Csv = False,
    markdown: Markdown = False,
    device: Device = "auto",
) -> None:
    """Measure image models beside timm's convnext and poolformerv2 of their size."""
    from wavezoo.bench import MODELS, bench_models
    from wavezoo.devices import find_device

    raw = _raw(json_, csv, markdown)
    where = find_device(device)
    measured = [each for group in bench_models(models or MODELS, where, size, batch, repeats) for each in group]
    if raw:
        _say_raw(measured, json_, str(where))
    else:
        _say_table(_models_table(measured, f"{size} x {size}, batch {batch}, float32"), markdown)


@app.command()
def sequence(
    model: Annotated[str, typer.Argument(help="A sequence model.")] = "wavepde_seq_tiny",
    mixer: Annotated[list[str] | None, typer.Option(help="A mixer; may be repeated. wave by default.")] = None,
    length: Annotated[
        list[int] | None, typer.Option(help="A length; may be repeated. 1024 to 16384 by default.")
    ] = None,
    repeats: Annotated[int, typer.Option(help="How often each is timed.")] = 5,
    json_: Json = False,
    csv: Csv = False,
    markdown: Markdown = False,
    device: Device = "auto",
) -> None:
    """Measure how time and memory of a sequence model grow with the length."""
    from wavezoo.bench import LENGTHS, bench_sequence
    from wavezoo.devices import find_device

    raw = _raw(json_, csv, markdown)
    where = find_device(device)
    mixers = mixer or ["wave"]
    measured = list(bench_sequence(model, mixers, length or LENGTHS, where, repeats))
    if raw:
        _say_raw(measured, json_, str(where))
        return
    _say_table(_lengths_table(measured, f"{model}, batch 1, float32"), markdown)
    for name in mixers:
        if line := _growth(name, measured):
            say(line)


def _raw(json_: bool, csv: bool, markdown: bool) -> bool:
    if json_ + csv + markdown > 1:
        raise WavezooError("--json, --csv and --markdown exclude each other; give one of them.")
    return json_ or csv


def _say_raw(measured: Sequence[Any], json_: bool, device: str) -> None:
    import torch

    from wavezoo.bench import as_records

    if json_:
        facts = {"device": device, "threads": torch.get_num_threads(), "torch": torch.__version__}
        say_json({**facts, "measurements": as_records(measured)}, indent=1)
    else:
        say(as_csv(as_records(measured)))


def _say_table(table: Table, markdown: bool) -> None:
    say(f"{table.title}\n\n{table.markdown()}\n" if markdown else f"{table.text()}\n")


def _grid(text: str) -> tuple[int, ...]:
    try:
        return tuple(int(size) for size in text.split("x"))
    except ValueError:
        raise WavezooError(f"--grid {text!r} is not a grid; give sizes such as 1024 or 28x28.") from None


def _operator_table(measured: Sequence["Measurement"]) -> Table:
    first = measured[0]
    reference = {each.contender.partition(":")[0]: each for each in measured if each.contender in REFERENCES}
    shape = " x ".join(str(size) for size in (first.batch, first.channels, *first.grid))
    rows = []
    for each in measured:
        against = reference[each.contender.partition(":")[0]]
        rows.append(
            (
                each.contender,
                f"{each.forward_ms:.1f} ({each.forward_spread_ms:.1f})",
                f"{each.both_ms:.1f} ({each.both_spread_ms:.1f})",
                f"{each.kept_mib:.1f}",
                f"{against.both_ms / each.both_ms:.2f} x {against.contender.partition(': ')[2]}",
            )
        )
    header = ("contender", "forward", "forward + backward", "kept, MiB", "speed-up")
    return Table(header, rows, f"{shape}, k = 4, float32: median ms (interquartile range)", numbers=True)


def _models_table(measured: Sequence["ModelMeasurement"], title: str) -> Table:
    header = ("model", "parameters, M", "GMACs", "activations, M", "kept, MiB / image", "images / s", "trained / s")
    rows = []
    for each in measured:
        numbers = (each.parameters, each.gmacs, each.activations, each.kept_mib)
        speeds = (each.forward_images_per_s, each.training_images_per_s)
        rows.append((each.name, *(f"{value:.3g}" for value in (*numbers, *speeds)), f"{each.spread:.0%}"))
    return Table((*header, "spread"), rows, title, numbers=True)


def _lengths_table(measured: Sequence["LengthMeasurement"], title: str) -> Table:
    rows = [
        (each.mixer, str(each.length), f"{each.both_ms:.1f} ({each.both_spread_ms:.1f})", f"{each.kept_mib:.1f}")
        for each in measured
    ]
    return Table(("mixer", "length", "forward + backward, ms", "kept, MiB"), rows, title, numbers=True)


def _growth(name: str, measured: Sequence["LengthMeasurement"]) -> str | None:
    from wavezoo.bench import exponent

    rows = [each for each in measured if each.mixer == name]
    lengths = [each.length for each in rows]
    if len(set(lengths)) < 2:
        return None
    slopes = [exponent(lengths, [getattr(row, what) for row in rows]) for what in ("both_ms", "kept_mib")]
    return f"{name}: time grows like N^{slopes[0]:.2f}, memory like N^{slopes[1]:.2f}"
