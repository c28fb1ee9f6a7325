"""The class of every cell of a grid."""

from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional as F
from torchmetrics import Metric

from wavezoo.data.facts import Facts
from wavezoo.errors import not_allowed
from wavezoo.tasks.base import Batch, Examples, Model, Task
from wavezoo.tasks.counts import confusion_metric, share_correct, write_counts
from wavezoo.tasks.pictures import draw_examples


class Segmentation(Task):
    """The class of each cell: cross entropy, and the mean intersection over union of the foreground's classes.

    Its numbers are ``mean_iou``, over the classes that occur in truth or answer, and ``accuracy``, the share of cells
    whose class was found. The run folder holds ``confusion.csv``, of cells, and ``predictions.png``.

    Args:
        facts: what the data are.
        background: the class that does not count, by number; None if all do.
        label_smoothing: the share of each label that is spread over all classes.

    Raises:
        WavezooError: if there is no such class.
    """

    target = "class_map"
    decides = "mean_iou"
    higher_is_better = True
    percent = ("mean_iou", "accuracy")

    def __init__(self, facts: Facts, *, background: int | None = 0, label_smoothing: float = 0.0) -> None:
        super().__init__(facts)
        if background is not None and background not in range(len(facts.classes)):
            raise not_allowed("task.background", background, [*range(len(facts.classes)), None])
        self.background = background
        self.label_smoothing = label_smoothing

    @property
    def outputs(self) -> int:
        return len(self.facts.classes)

    def loss(self, model: Model, batch: Batch) -> Tensor:
        *inputs, labels = batch
        return F.cross_entropy(model(*inputs).float(), labels, label_smoothing=self.label_smoothing)

    def answer(self, outputs: Tensor) -> Tensor:
        return outputs.argmax(1)

    def metric(self) -> Metric:
        return confusion_metric(self.outputs)

    def numbers(self, metric: Metric) -> dict[str, float]:
        shares = self._shares(metric)
        foreground = torch.ones(len(shares), dtype=torch.bool)
        if self.background is not None:
            foreground[self.background] = False
        counted = shares[foreground & ~shares.isnan()]
        return {
            "mean_iou": counted.mean().item() if len(counted) else 0.0,
            "accuracy": share_correct(metric.compute()),
        }

    def details(self, metric: Metric) -> dict[str, dict[str, float]]:
        shares = self._shares(metric).nan_to_num(0.0).tolist()
        return {"iou_by_class": dict(zip(self.facts.classes, shares, strict=False))}

    def write(self, folder: Path, metric: Metric, examples: Examples) -> list[str]:
        write_counts(folder / "confusion.csv", self.facts.classes, metric.compute())
        return draw_examples(folder / "predictions.png", examples, classes=self.outputs)

    def _shares(self, metric: Metric) -> Tensor:
        """Return the intersection over union of each class, ``(K,)``; NaN for one that occurs nowhere."""
        counts = metric.compute().cpu().to(torch.float64)
        found = counts.diagonal()
        return found / (counts.sum(0) + counts.sum(1) - found)
