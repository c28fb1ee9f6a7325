"""Whether a path leads from a marked cell to each other, and how far it is to those that are found."""

import csv
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional as F
from torchmetrics import Metric

from wavezoo.data.facts import Facts
from wavezoo.files import writing
from wavezoo.tasks.base import Batch, Examples, Model, Task
from wavezoo.tasks.pictures import draw_examples

# Walls, cells that are not reached, and cells that are.
PICTURED = 3
# The end of the first range of path lengths; each that follows is as long as all before.
SHORT = 8


class LengthCounts(Metric):
    """How many free cells there are at each path length, and how many of them were found, ``(longest + 2, 2)``.

    The last row is of cells that no path leads to, which are found if the answer is that none does.

    Args:
        longest: the greatest path length.
    """

    counts: Tensor

    def __init__(self, longest: int) -> None:
        # What it is updated with has been gathered already.
        super().__init__(sync_on_compute=False)
        self.longest = longest
        self.add_state("counts", torch.zeros(longest + 2, 2, dtype=torch.long), dist_reduce_fx="sum")

    def update(self, answers: Tensor, targets: Tensor) -> None:
        free = ~targets.isnan()
        lengths = targets[free].clamp(max=self.longest + 1).long()
        right = answers[free].isfinite() == targets[free].isfinite()
        for column, counted in enumerate((lengths, lengths[right])):
            self.counts[:, column] += counted.bincount(minlength=self.longest + 2)

    def compute(self) -> Tensor:
        return self.counts


class Reach(Task):
    """Whether a path leads to each free cell: binary cross entropy, and the share of free cells told right.

    Its numbers are ``accuracy``; ``reached``, the share of those that a path leads to, and ``apart``, of the others.
    Walls do not count. The summary holds the accuracy by ranges of path lengths, the run folder
    ``path_lengths.csv``, by each, and ``predictions.png``: walls, cells that are not reached, and those that are.

    Args:
        facts: what the data are.
    """

    target = "distance"
    decides = "accuracy"
    higher_is_better = True
    percent = ("accuracy", "reached", "apart")

    def __init__(self, facts: Facts) -> None:
        super().__init__(facts)

    @property
    def outputs(self) -> int:
        return 1

    def loss(self, model: Model, batch: Batch) -> Tensor:
        *inputs, lengths = batch
        logits = model(*inputs).float().squeeze(1)
        free = ~lengths.isnan()
        each = F.binary_cross_entropy_with_logits(logits, lengths.isfinite().float(), reduction="none")
        return (each * free).sum() / free.sum().clamp(min=1)

    def answer(self, outputs: Tensor) -> Tensor:
        return torch.where(outputs.squeeze(1) > 0, 0.0, torch.inf)

    def metric(self) -> Metric:
        return LengthCounts(torch.Size(self.facts.grid).numel())

    def numbers(self, metric: Metric) -> dict[str, float]:
        counts = metric.compute().cpu()
        return {"accuracy": _share(counts), "reached": _share(counts[:-1]), "apart": _share(counts[-1:])}

    def details(self, metric: Metric) -> dict[str, dict[str, float]]:
        counts = metric.compute().cpu()[:-1]
        shares, first, end = {}, 0, SHORT
        while counts[first:, 0].any():
            shares[f"{first}-{end}"] = _share(counts[first : end + 1])
            first, end = end + 1, 2 * end
        return {"accuracy_by_path_length": shares}

    def write(self, folder: Path, metric: Metric, examples: Examples) -> list[str]:
        counts = metric.compute().tolist()
        with writing(folder / "path_lengths.csv") as beside, beside.open("w", newline="", encoding="utf-8") as opened:
            rows = csv.writer(opened)
            rows.writerow(["path length", "cells", "told right"])
            names = [*range(len(counts) - 1), "no path"]
            rows.writerows([name, *row] for name, row in zip(names, counts, strict=True) if row[0])
        targets, answers = (_pictured(each, examples.targets) for each in (examples.targets, examples.answers))
        return draw_examples(folder / "predictions.png", Examples(examples.inputs, targets, answers), PICTURED)


def _share(counts: Tensor) -> float:
    cells, right = counts.sum(0).tolist()
    return right / max(1, cells)


def _pictured(lengths: Tensor, truth: Tensor) -> Tensor:
    return torch.where(truth.isnan(), 0, 1 + lengths.isfinite().long())
