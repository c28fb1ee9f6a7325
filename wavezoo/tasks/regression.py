"""Fields from fields."""

from pathlib import Path
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F
from torchmetrics import MeanSquaredError, Metric, MetricCollection

from wavezoo.data.facts import Facts
from wavezoo.tasks.base import Batch, Examples, Model, Task
from wavezoo.tasks.pictures import draw_examples


def relative_l2(answers: Tensor, targets: Tensor) -> Tensor:
    """Return ``|answer - target| / |target|`` of each sample, ``(B,)``, in the norm over channels and grid."""
    difference = (answers - targets).flatten(1).norm(dim=1)
    return difference / targets.flatten(1).norm(dim=1).clamp(min=torch.finfo(targets.dtype).tiny)


class RelativeL2(Metric):
    """The mean of `relative_l2` over all samples."""

    total: Tensor
    count: Tensor

    def __init__(self) -> None:
        # What it is updated with has been gathered already.
        super().__init__(sync_on_compute=False)
        self.add_state("total", torch.zeros(()), dist_reduce_fx="sum")
        self.add_state("count", torch.zeros((), dtype=torch.long), dist_reduce_fx="sum")

    def update(self, answers: Tensor, targets: Tensor) -> None:
        self.total += relative_l2(answers, targets).sum()
        self.count += len(answers)

    def compute(self) -> Tensor:
        return self.total / self.count


class Regression(Task):
    """The values of a field at every cell: relative L2 error.

    Its numbers are ``relative_l2``, the mean over samples, and ``rmse``. The run folder holds ``predictions.png``.

    Args:
        facts: what the data are.
        loss: what training makes small: ``"relative_l2"`` or ``"mse"``.
    """

    target = "field"
    decides = "relative_l2"
    higher_is_better = False

    def __init__(self, facts: Facts, *, loss: Literal["relative_l2", "mse"] = "relative_l2") -> None:
        super().__init__(facts)
        self.measure = loss

    @property
    def outputs(self) -> int:
        return getattr(self.facts, "target_channels", None) or 1

    def loss(self, model: Model, batch: Batch) -> Tensor:
        *inputs, targets = batch
        outputs = model(*inputs).float()
        return F.mse_loss(outputs, targets) if self.measure == "mse" else relative_l2(outputs, targets).mean()

    def answer(self, outputs: Tensor) -> Tensor:
        return outputs.float()

    def metric(self) -> Metric:
        squares = MeanSquaredError(squared=False, sync_on_compute=False)
        # A collection is no Metric, but is updated, computed and moved like one.
        return MetricCollection({"relative_l2": RelativeL2(), "rmse": squares}, compute_groups=False)  # type: ignore[return-value]

    def numbers(self, metric: Metric) -> dict[str, float]:
        return {name: value.item() for name, value in metric.compute().items()}

    def write(self, folder: Path, metric: Metric, examples: Examples) -> list[str]:
        return draw_examples(folder / "predictions.png", examples)
