"""One class for each sample."""

from pathlib import Path

import torch
from timm.data.mixup import Mixup
from torch import Tensor
from torch.nn import functional as F
from torchmetrics import Metric

from wavezoo.data.facts import Facts
from wavezoo.tasks.base import Batch, Examples, Model, Task
from wavezoo.tasks.counts import confusion_metric, share_correct, write_counts


class Classification(Task):
    """The class of each sample: cross entropy, accuracy, and ``confusion.csv`` in the run folder.

    Args:
        facts: what the data are.
        mixup: timm's mixup of pairs of images in training, 0 for none.
        cutmix: timm's cutmix, likewise.
        label_smoothing: the share of each label that is spread over all classes.
    """

    target = "class"
    decides = "accuracy"
    higher_is_better = True
    percent = ("accuracy",)

    def __init__(self, facts: Facts, *, mixup: float = 0.0, cutmix: float = 0.0, label_smoothing: float = 0.0) -> None:
        super().__init__(facts)
        # Mixed labels are smoothed already.
        self.label_smoothing = 0.0 if mixup or cutmix else label_smoothing
        self.mixup: Mixup | None = None
        if mixup or cutmix:
            self.mixup = Mixup(
                mixup_alpha=mixup, cutmix_alpha=cutmix, label_smoothing=label_smoothing, num_classes=self.outputs
            )

    @property
    def outputs(self) -> int:
        return len(self.facts.classes)

    def loss(self, model: Model, batch: Batch) -> Tensor:
        *inputs, labels = batch
        if self.mixup is not None:
            inputs[0], labels = self.mixup(inputs[0], labels)
        return F.cross_entropy(model(*inputs).float(), labels, label_smoothing=self.label_smoothing)

    def answer(self, outputs: Tensor) -> Tensor:
        return outputs.argmax(1)

    def metric(self) -> Metric:
        return confusion_metric(self.outputs)

    def numbers(self, metric: Metric) -> dict[str, float]:
        return {"accuracy": share_correct(metric.compute())}

    def details(self, metric: Metric) -> dict[str, dict[str, float]]:
        counts: Tensor = metric.compute().cpu()
        shares = counts.diagonal() / counts.sum(1).clamp(min=1).to(torch.float64)
        return {"accuracy_by_class": dict(zip(self.facts.classes, shares.tolist(), strict=False))}

    def write(self, folder: Path, metric: Metric, examples: Examples) -> list[str]:
        write_counts(folder / "confusion.csv", self.facts.classes, metric.compute())
        return []
