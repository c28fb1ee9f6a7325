"""The command line: parses arguments and calls the stages in order."""

import json
import os
import sys
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import torch
import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn
from rich.table import Table

from wavezoo import bench
from wavezoo.cli.describe import describe as describe_name
from wavezoo.cli.describe import list_names
from wavezoo.config.recipe import BUDGETS, Recipe, find_recipe, load_recipe, with_overrides
from wavezoo.data.sequences import listops, pathfinder
from wavezoo.devices import find_device
from wavezoo.errors import PluginWarning, WavezooError, not_allowed
from wavezoo.export.export import export_model
from wavezoo.export.source import model_and_example
from wavezoo.plugins.axes import AXES
from wavezoo.plugins.loading import load_plugin
from wavezoo.plugins.registry import registry
from wavezoo.testing import checks
from wavezoo.train import InterruptedTraining, average_runs, compare_runs, list_runs, smoke
from wavezoo.train import evaluate as evaluate_run
from wavezoo.train import resume as resume_run
from wavezoo.train import train as train_recipe

app = typer.Typer(
    help="Wave-equation layers for PyTorch: train recipes, list and check schemes.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
generate_app = typer.Typer(help="Make data sets that can be generated.", no_args_is_help=True)
app.add_typer(generate_app, name="generate")
bench_app = typer.Typer(help="Measure speed and memory, side by side in one run.", no_args_is_help=True)
app.add_typer(bench_app, name="bench")
console = Console(highlight=False, soft_wrap=True)

Plugins = Annotated[
    list[str] | None,
    typer.Option("--plugin", help="Load a plugin from a Python file or a module; may be repeated."),
]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1, mps.")]


def main() -> None:
    """Run the command line; what the user can mend ends in one message and exit code 2."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PluginWarning)
        try:
            app()
        except WavezooError as error:
            print(f"wavezoo: {error}", file=sys.stderr)
            sys.exit(2)
        except InterruptedTraining as interruption:
            print(f"wavezoo: {interruption}", file=sys.stderr)
            sys.exit(interruption.exit_code)


@app.command()
def train(
    recipe: Annotated[
        str | None, typer.Argument(help="A recipe's name (wavezoo list recipes) or the path of a .yaml file.")
    ] = None,
    overrides: Annotated[
        list[str] | None, typer.Option("--set", help="Replace a value: --set optimizer.lr=1e-3; may be repeated.")
    ] = None,
    plugin: Plugins = None,
    epochs: Annotated[int | None, typer.Option(help="Train for this many epochs.")] = None,
    limit_samples: Annotated[int | None, typer.Option(help="Use this many samples of each split at most.")] = None,
    device: Device = "auto",
    out: Annotated[Path | None, typer.Option(help="The run folder; runs/NAME-TIME by default.")] = None,
    resume: Annotated[Path | None, typer.Option(help="Go on with the run in this folder.")] = None,
    smoke_: Annotated[
        bool, typer.Option("--smoke", help="Make the recipe so small that it runs through in under a minute.")
    ] = False,
) -> None:
    """Train a recipe and leave a run folder; or go on with one. The last line of output is the result in JSON."""
    named = _load_plugins(plugin)
    changes = list(overrides or [])
    if epochs is not None:
        changes += [f"{budget}=null" for budget in BUDGETS if budget != "epochs"] + [f"epochs={epochs}"]
    changes += [f"data.limit_samples={limit_samples}"] * (limit_samples is not None)
    checked = None
    if recipe is not None:
        checked = _with_plugins(load_recipe(find_recipe(recipe), changes), named)
        if smoke_:
            # What the user says counts even so.
            checked = with_overrides(smoke(checked), changes)
    if resume is not None:
        if out is not None:
            raise WavezooError(f"--out {out}: a resumed run stays in its folder, {resume}. Leave --out out.")
        _print_result(resume_run(resume, checked, changes, device, console), resume)
        return
    if checked is None:
        raise WavezooError("train needs a recipe, such as `wavezoo train quickstart`, or --resume RUN.")
    out = out or Path("runs") / f"{checked.name}-{time.strftime('%Y%m%d-%H%M%S')}"
    _print_result(train_recipe(checked, out, device, console), out)


@app.command()
def evaluate(
    run: Annotated[Path, typer.Argument(help="A run folder.")],
    weights: Annotated[str, typer.Option(help="last or best.")] = "last",
    plugin: Plugins = None,
    device: Device = "auto",
    data_path: Annotated[str | None, typer.Option(help="A local copy of the data in place of the recipe's.")] = None,
    resolution: Annotated[float, typer.Option(help="Enlarge the test images by this, and keep the physics.")] = 1.0,
    grid_spacing: Annotated[
        float | None, typer.Option(help="What to tell the model of the distance of two pixels; 1 / resolution if left.")
    ] = None,
) -> None:
    """Print the test accuracy of a run's saved weights."""
    _load_plugins(plugin)
    found = evaluate_run(run, weights, device, data_path, resolution, grid_spacing)
    scale = "" if resolution == 1 else f", images enlarged by {resolution:g}"
    console.print(f"accuracy {found.accuracy:.2%} ({weights} weights of {run}{scale})")


@app.command()
def runs(
    folders: Annotated[
        list[Path] | None, typer.Argument(help="Run folders, or folders of them; runs by default.")
    ] = None,
    compare: Annotated[bool, typer.Option("--compare", help="Also show where their recipes differ.")] = False,
    seeds: Annotated[
        bool, typer.Option("--seeds", help="List mean and spread over the seeds of each recipe instead.")
    ] = False,
) -> None:
    """List runs, the most accurate first."""
    folders = folders or [Path("runs")]
    rows = list_runs(folders)
    _print_columns(average_runs(folders) if seeds else rows)
    if compare:
        console.print()
        _print_columns(compare_runs([Path(row[0]) for row in rows[1:]]))


@app.command()
def export(
    source: Annotated[str, typer.Argument(help="A run folder, or a model's name (wavezoo list models).")],
    out: Annotated[Path, typer.Option(help="The file to write.")],
    format_: Annotated[str, typer.Option("--format", help="onnx, exported (a torch program) or safetensors.")] = "onnx",
    weights: Annotated[
        str | None,
        typer.Option(help="last or best of a run; for a model, a safetensors file. Fresh weights otherwise."),
    ] = None,
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="An option of a named model: --set num_classes=10; repeatable.")
    ] = None,
    size: Annotated[int | None, typer.Option(help="Side of the images, or length of the sequences.")] = None,
    dynamic: Annotated[str, typer.Option(help="What may differ later: none, batch, or size (and batch).")] = "batch",
    plugin: Plugins = None,
) -> None:
    """Write a model to a file and check the file against the model."""
    _load_plugins(plugin)
    model, example, said = model_and_example(source, weights, list(set_ or []), size)
    exported = export_model(model, example, format_, out, dynamic)
    console.print(
        f"{exported.path}: {format_} of {said}, {exported.size / 1e6:.1f} MB, input {tuple(example.shape)}, dynamic "
        f"{dynamic}; run and compared with the model: outputs differ by {exported.difference:.1e} of the largest",
        markup=False,
    )


@app.command(name="list")
def list_(
    kind: Annotated[str, typer.Argument(help=f"{', '.join(AXES)}, models, recipes or datasets.")],
    plugin: Plugins = None,
) -> None:
    """List what there is of a kind, a line each."""
    _load_plugins(plugin)
    _print_columns(list_names(kind))


@app.command()
def describe(
    name: Annotated[str, typer.Argument(help="A scheme, model, recipe or data set.")], plugin: Plugins = None
) -> None:
    """Show what a scheme, model, recipe or data set is: equation, facts, options and defaults."""
    _load_plugins(plugin)
    console.print(describe_name(name), markup=False)


@app.command(name="plugins")
def plugins_(plugin: Plugins = None) -> None:
    """List the loaded plugins, where each comes from and what it brings; then those left out, and why."""
    _load_plugins(plugin)
    rows = [("plugin", "from", "brings")]
    for loaded in registry.plugins():
        brought = registry.brought_by(loaded)
        brings = [f"{kind}: {', '.join(names)}" for kind, names in brought.items() if names]
        rows.append((loaded.name, loaded.source, "; ".join(brings)))
    _print_columns(rows)
    for error in registry.left_out():
        console.print(f"left out: {error}", markup=False)


@app.command()
def check(
    name: Annotated[str, typer.Argument(help="A scheme.")],
    plugin: Plugins = None,
) -> None:
    """Run the conformance suite on a scheme: measure what it declares."""
    _load_plugins(plugin)
    schemes = [registry.scheme(axis, name) for axis in AXES if name in registry.schemes(axis)]
    if not schemes:
        raise not_allowed("scheme", name, [known for axis in AXES for known in registry.schemes(axis)])
    failures = 0
    for scheme in schemes:
        for each in checks(scheme):
            label = each.__name__
            try:
                each()
            except AssertionError as error:
                failures += 1
                console.print(f"FAILED  {label}: {error}", markup=False)
            else:
                console.print(f"passed  {label}", markup=False)
    if failures:
        raise typer.Exit(1)


@generate_app.command(name="pathfinder")
def generate_pathfinder(
    out: Annotated[Path, typer.Option(help="The folder to write; a generation broken off there is continued.")],
    size: Annotated[int, typer.Option(help="Side of the images: 32 for Pathfinder, 128 for Path-X.")] = 32,
    contour_length: Annotated[
        int, typer.Option(help="Dashes of a target curve: 6 (easy), 9 (intermediate) or 14 (hard, the benchmark's).")
    ] = 14,
    count: Annotated[int, typer.Option(help="Number of images.")] = 200_000,
    seed: Annotated[int, typer.Option(help="The same seed gives the same images.")] = 0,
    workers: Annotated[int | None, typer.Option(help="Processes; as many as there are processors by default.")] = None,
) -> None:
    """Draw images for Pathfinder or Path-X, in the layout of the Long Range Arena's release."""
    with _progress_to(count) as advanced:
        pathfinder.generate(out, size, count, seed, workers or os.cpu_count() or 1, advanced, contour_length)
    console.print(f"{count:,} images in {out}; train on them with --set data.path={out}", markup=False)


@generate_app.command(name="listops")
def generate_listops(
    out: Annotated[Path, typer.Option(help="The folder to write.")],
    train: Annotated[int, typer.Option(help="Samples for training.")] = listops.COUNTS["train"],
    validation: Annotated[int, typer.Option(help="Samples for validation.")] = listops.COUNTS["validation"],
    test: Annotated[int, typer.Option(help="Samples for test.")] = listops.COUNTS["test"],
    seed: Annotated[int, typer.Option(help="The same seed gives the same samples.")] = 0,
) -> None:
    """Draw nested lists for ListOps, as TSV files like the Long Range Arena's."""
    counts = {"train": train, "validation": validation, "test": test}
    with _progress_to(sum(counts.values())) as advanced:
        listops.generate(out, seed, counts, advanced)
    console.print(f"{sum(counts.values()):,} samples in {out}; train on them with --set data.path={out}", markup=False)


@contextmanager
def _progress_to(total: int) -> Iterator[Callable[[int], None]]:
    columns = (BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("", total=total)
        yield lambda count: bar.advance(task, count)


@bench_app.command(name="operator")
def bench_operator_(
    grid: Annotated[
        list[str] | None, typer.Option("--grid", help="A grid, such as 28x28 or 1024; may be repeated. All by default.")
    ] = None,
    repeats: Annotated[int, typer.Option(help="How often each contender is timed.")] = 7,
    compiled: Annotated[bool, typer.Option("--compile/--no-compile", help="Measure compiled versions too.")] = True,
    json_: Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")] = False,
    device: Device = "auto",
) -> None:
    """Time the wave operator against a naive one, its bare Laplacians, attention and convolutions."""
    grids = [_grid(text) for text in grid] if grid else list(bench.SIZES)
    where = find_device(device)
    measured = []
    for measurement_grid in grids:
        found = list(bench.bench_operator([measurement_grid], where, repeats, compiled))
        measured += found
        if not json_:
            console.print(_bench_table(found))
    if json_:
        _print_json(where, measured)


@bench_app.command(name="models")
def bench_models_(
    models: Annotated[
        list[str] | None, typer.Argument(help="Image models; pico, nano, tiny, small, base if left.")
    ] = None,
    size: Annotated[int, typer.Option(help="Side of the images.")] = 224,
    batch: Annotated[int, typer.Option(help="Images at a time.")] = 2,
    repeats: Annotated[int, typer.Option(help="How often each model is timed.")] = 3,
    json_: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
    device: Device = "auto",
) -> None:
    """Measure image models beside timm's convnext and poolformerv2 of their size."""
    where = find_device(device)
    measured = []
    table = _table(
        f"{size} x {size}, batch {batch}, float32",
        "model",
        ("parameters, M", "GMACs", "activations, M", "kept, MiB / image", "images / s", "trained / s", "spread"),
    )
    for group in bench.bench_models(models or bench.MODELS, where, size, batch, repeats):
        measured += group
        for each in group:
            numbers = (each.parameters, each.gmacs, each.activations, each.kept_mib)
            speeds = (each.forward_images_per_s, each.training_images_per_s)
            table.add_row(each.name, *(f"{value:.3g}" for value in (*numbers, *speeds)), f"{each.spread:.0%}")
        table.add_section()
    if json_:
        _print_json(where, measured)
    else:
        console.print(table)


@bench_app.command(name="sequence")
def bench_sequence_(
    model: Annotated[str, typer.Argument(help="A sequence model.")] = "wavepde_seq_tiny",
    mixer: Annotated[list[str] | None, typer.Option(help="A mixer; may be repeated. wave by default.")] = None,
    length: Annotated[
        list[int] | None, typer.Option(help="A length; may be repeated. 1024 to 16384 by default.")
    ] = None,
    repeats: Annotated[int, typer.Option(help="How often each is timed.")] = 5,
    json_: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
    device: Device = "auto",
) -> None:
    """Measure how time and memory of a sequence model grow with the length."""
    where = find_device(device)
    mixers = mixer or ["wave"]
    measured = list(bench.bench_sequence(model, mixers, length or bench.LENGTHS, where, repeats))
    if json_:
        _print_json(where, measured)
        return
    table = _table(f"{model}, batch 1, float32", "mixer", ("length", "forward + backward, ms", "kept, MiB"))
    for each in measured:
        time_ms = f"{each.both_ms:.1f} ({each.both_spread_ms:.1f})"
        table.add_row(each.mixer, str(each.length), time_ms, f"{each.kept_mib:.1f}")
    console.print(table)
    for name in mixers:
        rows = [each for each in measured if each.mixer == name]
        lengths = [each.length for each in rows]
        if len(set(lengths)) > 1:
            slopes = [bench.exponent(lengths, [getattr(row, what) for row in rows]) for what in ("both_ms", "kept_mib")]
            console.print(f"{name}: time grows like N^{slopes[0]:.2f}, memory like N^{slopes[1]:.2f}")


def _table(title: str, first: str, others: Sequence[str]) -> Table:
    table = Table(title=title)
    for column in (first, *others):
        table.add_column(column, justify="left" if column == first else "right")
    return table


def _print_json(device: torch.device, measured: Sequence[object]) -> None:
    facts = {"device": str(device), "threads": torch.get_num_threads(), "torch": torch.__version__}
    print(json.dumps({**facts, "measurements": bench.as_records(measured)}, indent=1))


def _grid(text: str) -> tuple[int, ...]:
    try:
        return tuple(int(size) for size in text.split("x"))
    except ValueError:
        raise WavezooError(f"--grid {text!r} is not a grid; give sizes such as 1024 or 28x28.") from None


def _bench_table(measured: Sequence[bench.Measurement]) -> Table:
    first = measured[0]
    # The naive solver is what solvers are compared with, attention what layers are.
    reference = {name.partition(":")[0]: each for each in measured for name in [each.contender] if _is_reference(name)}
    shape = " x ".join(str(size) for size in (first.batch, first.channels, *first.grid))
    title = f"{shape}, k = 4, float32: median ms (interquartile range)"
    table = _table(title, "contender", ("forward", "forward + backward", "kept, MiB", "speed-up"))
    for each in measured:
        against = reference[each.contender.partition(":")[0]]
        table.add_row(
            each.contender,
            f"{each.forward_ms:.1f} ({each.forward_spread_ms:.1f})",
            f"{each.both_ms:.1f} ({each.both_spread_ms:.1f})",
            f"{each.kept_mib:.1f}",
            f"{against.both_ms / each.both_ms:.2f} x {against.contender.partition(': ')[2]}",
        )
    return table


def _is_reference(contender: str) -> bool:
    return contender in ("solver: naive", "layer: attention")


def _print_columns(rows: Sequence[tuple[str, ...]]) -> None:
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    for row in rows:
        line = "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        console.print(line.rstrip(), markup=False)


def _with_plugins(recipe: Recipe, named: Sequence[str]) -> Recipe:
    # So that the run folder tells which plugins it needs.
    return recipe.model_copy(update={"plugins": tuple(dict.fromkeys((*recipe.plugins, *named)))})


def _print_result(summary: Mapping[str, object], run: Path) -> None:
    """Print the result for people, and on the last line for scripts."""
    # One of several processes speaks for all.
    if os.environ.get("RANK", "0") != "0":
        return
    console.print(
        f"accuracy {summary['accuracy']:.2%} (best {summary['best_accuracy']:.2%}, epoch {summary['best_epoch']}) "
        f"in {summary['seconds']:.0f} s; run folder {run}",
        markup=False,
    )
    shown = ("accuracy", "best_accuracy", "best_epoch", "epochs", "updates", "parameters", "seconds", "seed")
    print(json.dumps({"run": str(run), **{name: summary[name] for name in shown}}))


def _load_plugins(references: list[str] | None) -> list[str]:
    names = [load_plugin(reference).name for reference in references or []]
    for error in registry.left_out():
        print(f"wavezoo: warning: left out: {error}", file=sys.stderr)
    return names
