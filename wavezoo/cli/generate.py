"""Commands that make data sets."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from wavezoo.cli.output import console, say

app = typer.Typer(help="Make data sets that can be generated.", rich_markup_mode=None)


@app.command()
def pathfinder(
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
    from wavezoo.data.sequences.pathfinder import generate

    with _progress_to(count) as advanced:
        generate(out, size, count, seed, workers or os.cpu_count() or 1, advanced, contour_length)
    say(f"{count:,} images in {out}; train on them with --set data.path={out}")


@app.command()
def listops(
    out: Annotated[Path, typer.Option(help="The folder to write.")],
    train: Annotated[int | None, typer.Option(help="Samples for training; as in the release by default.")] = None,
    validation: Annotated[int | None, typer.Option(help="Samples for validation, likewise.")] = None,
    test: Annotated[int | None, typer.Option(help="Samples for test, likewise.")] = None,
    seed: Annotated[int, typer.Option(help="The same seed gives the same samples.")] = 0,
) -> None:
    """Draw nested lists for ListOps, as TSV files like the Long Range Arena's."""
    from wavezoo.data.sequences.listops import COUNTS, generate

    asked = {"train": train, "validation": validation, "test": test}
    counts = {split: COUNTS[split] if count is None else count for split, count in asked.items()}
    with _progress_to(sum(counts.values())) as advanced:
        generate(out, seed, counts, advanced)
    say(f"{sum(counts.values()):,} samples in {out}; train on them with --set data.path={out}")


@contextmanager
def _progress_to(total: int) -> Iterator[Callable[[int], None]]:
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

    columns = (BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console(), transient=True) as bar:
        task = bar.add_task("", total=total)
        yield lambda count: bar.advance(task, count)
