"""The command that writes models for other programs."""

from pathlib import Path
from typing import Annotated

import typer

from wavezoo.cli.options import Plugins, load_plugins
from wavezoo.cli.output import say


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
    from wavezoo.export.export import export_model
    from wavezoo.export.source import model_and_example

    load_plugins(plugin)
    model, example, said = model_and_example(source, weights, list(set_ or []), size)
    exported = export_model(model, example, format_, out, dynamic)
    smallest = "" if exported.smallest is None else " from {} x {} pixels".format(*exported.smallest)
    say(
        f"{exported.path}: {format_} of {said}, {exported.size / 1e6:.1f} MB, input {tuple(example.shape)}, "
        f"dynamic {dynamic}{smallest}; run and compared with the model: outputs differ by "
        f"{exported.difference:.1e} of the largest"
    )
