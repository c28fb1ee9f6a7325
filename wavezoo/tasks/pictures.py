"""Pictures of a few inputs, what was to be found and what the model said, with matplotlib."""

from pathlib import Path
from typing import Any

from einops import rearrange
from torch import Tensor

from wavezoo.files import writing
from wavezoo.tasks.base import Examples

MISSING = "predictions.png: pip install 'wavezoo[plot]' for matplotlib, which draws it"
TITLES = ("input", "truth", "prediction")


def draw_examples(file: Path, examples: Examples, classes: int | None = None) -> list[str]:
    """Draw a row for each example; return what is missing to do so.

    Args:
        file: the picture to write.
        examples: on lines, or on rectangles.
        classes: how many classes targets and answers tell of; None for fields.

    Raises:
        WavezooError: if the file cannot be written.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError:
        return [MISSING]
    rows = len(examples.inputs)
    figure = Figure(figsize=(9, 3 * rows), layout="constrained")
    for row, axes in enumerate(figure.subplots(rows, 3, squeeze=False)):
        target, answer = examples.targets[row].cpu(), examples.answers[row].cpu()
        # Truth and answer on one scale, so that colours can be compared.
        scale = {"vmin": 0, "vmax": classes - 1, "cmap": "tab20"} if classes else _scale(target)
        for column, values in enumerate((examples.inputs[row].cpu(), target, answer)):
            axes[column].set_title(TITLES[column] if row == 0 else "")
            _draw(axes[column], values, {} if column == 0 else scale, channels_last=column == 0)
    with writing(file) as beside:
        figure.savefig(beside, format="png", dpi=100)
    return []


def _draw(axes: Any, values: Tensor, scale: dict[str, Any], channels_last: bool) -> None:
    # Inputs (C, H, W) or (N, F); targets and answers (*G) or (C, *G).
    line = values.ndim == 1 or (values.ndim == 2 and "cmap" not in scale)
    if line:
        axes.plot((values if channels_last or values.ndim == 1 else values.T).numpy())
        return
    picture = _picture(values) if values.ndim == 3 else values
    axes.imshow(picture.numpy(), **({} if picture.ndim == 3 else scale))
    axes.set_axis_off()


def _picture(values: Tensor) -> Tensor:
    """Return one channel ``(H, W)``, or three ``(H, W, 3)`` between 0 and 1."""
    if len(values) != 3:
        return values[0]
    least, greatest = values.min(), values.max()
    return rearrange((values - least) / (greatest - least).clamp(min=1e-12), "c h w -> h w c")


def _scale(target: Tensor) -> dict[str, Any]:
    return {"vmin": target.min().item(), "vmax": target.max().item()}
