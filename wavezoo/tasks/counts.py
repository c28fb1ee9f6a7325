"""Confusion matrices: how often samples, or cells, of each true class (rows) were taken for each class (columns)."""

import csv
from collections.abc import Sequence
from pathlib import Path

from torch import Tensor
from torchmetrics import Metric
from torchmetrics.classification import MulticlassConfusionMatrix

from wavezoo.files import writing


def confusion_metric(classes: int) -> Metric:
    """Return the metric that counts, ``(classes, classes)``, int64."""
    # What it is updated with has been gathered already.
    return MulticlassConfusionMatrix(max(classes, 2), validate_args=False, sync_on_compute=False)


def share_correct(counts: Tensor) -> float:
    """Return the share of samples whose class was found."""
    return int(counts.diagonal().sum()) / max(1, int(counts.sum()))


def write_counts(file: Path, classes: Sequence[str], counts: Tensor) -> None:
    """Write a table: rows are true classes, columns what the model said."""
    with writing(file) as beside, beside.open("w", newline="", encoding="utf-8") as opened:
        rows = csv.writer(opened)
        rows.writerow(["true class", *classes])
        rows.writerows([name, *row] for name, row in zip(classes, counts.tolist(), strict=False))
