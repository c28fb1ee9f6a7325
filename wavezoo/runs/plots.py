"""Curves of a run, with matplotlib."""

from collections.abc import Sequence
from typing import Any

from wavezoo.runs.folder import RunFolder
from wavezoo.runs.records import Measurement

MISSING = "curves.png: pip install 'wavezoo[plot]' for matplotlib, which draws it"

# Panels, each with its curves: label, values, style.
Curve = tuple[str, list[float | None], str]


def draw_curves(metrics: Sequence[Measurement], decides: str, folder: RunFolder) -> list[str]:
    """Draw ``curves.png``; return what is missing to do so.

    The loss in training, the deciding number, the learning rates, and the Courant margin where there is a bound.

    Args:
        metrics: what each evaluation found.
        decides: the name of the deciding number.
        folder: the run folder.

    Raises:
        WavezooError: if the file cannot be written.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError:
        return [MISSING]
    panels = _panels(metrics, decides)
    figure = Figure(figsize=(5 * len(panels), 4), layout="constrained")
    epochs = [each.epoch for each in metrics]
    for axes, (title, curves) in zip(figure.subplots(1, len(panels), squeeze=False)[0], panels, strict=True):
        for label, values, style in curves:
            points = [(epoch, value) for epoch, value in zip(epochs, values, strict=True) if value is not None]
            axes.plot(*zip(*points, strict=True), style, marker="." if len(points) < 40 else None, label=label)
        if title == "learning rate" and all(value for _, values, _ in curves for value in values):
            axes.set_yscale("log")
        axes.set(title=title, xlabel="epoch")
        axes.legend()
        axes.grid(alpha=0.3)
    with folder.writing("curves.png") as beside:
        figure.savefig(beside, format="png", dpi=120)
    return []


def _panels(metrics: Sequence[Measurement], decides: str) -> list[tuple[str, list[Curve]]]:
    measured: dict[str, Any] = {
        "loss": [("training", [each.loss for each in metrics], "-")],
        decides: [(metrics[-1].split if metrics else "test", [each.metrics.get(decides) for each in metrics], "-")],
        "learning rate": [
            ("weights", [each.learning_rate for each in metrics], "-"),
            # Dashed on top of the other, so that both are seen where they agree.
            ("physics", [each.physics_learning_rate for each in metrics], "--"),
        ],
        "Courant margin": [("nearest layer", [each.courant_margin for each in metrics], "-")],
    }
    panels = []
    for title, curves in measured.items():
        drawn = [curve for curve in curves if any(value is not None for value in curve[1])]
        if drawn:
            panels.append((title, drawn))
    return panels
