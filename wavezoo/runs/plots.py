"""Curves of a run, with matplotlib."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from wavezoo.files import writing

PANELS = (
    ("loss", ("loss",)),
    ("accuracy", ("validation_accuracy", "test_accuracy")),
    ("learning rate", ("learning_rate", "physics_learning_rate")),
    ("Courant margin", ("courant_margin",)),
)


def draw_curves(metrics: Sequence[Mapping[str, Any]], file: Path) -> bool:
    """Draw what was measured after each evaluation; return False, and draw nothing, without matplotlib.

    Raises:
        WavezooError: if the file cannot be written.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError:
        return False
    figure = Figure(figsize=(10, 7), layout="constrained")
    for axes, (title, names) in zip(figure.subplots(2, 2).flat, PANELS, strict=True):
        for name in names:
            points = [(each["epoch"], each[name]) for each in metrics if each.get(name) is not None]
            if points:
                axes.plot(*zip(*points, strict=True), marker="." if len(points) < 40 else None, label=name)
        axes.set(title=title, xlabel="epoch")
        if title == "learning rate" and axes.lines:
            axes.legend()
        axes.grid(alpha=0.3)
    with writing(file) as beside:
        figure.savefig(beside, format="png", dpi=120)
    return True
