"""What a model is to do with data: the contract of a task.

Shapes: B batch, K outputs, *G grid. Outputs are ``(B, K)``, or ``(B, K, *G)`` where each cell has a target of its own.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

from torch import Tensor
from torchmetrics import Metric

from wavezoo.data.facts import Facts
from wavezoo.errors import WavezooError

# The model as a task sees it: from a batch's inputs to outputs.
Model = Callable[..., Tensor]
Batch = Sequence[Tensor]


class Examples(NamedTuple):
    """A few test samples, and what the trained model said of them.

    Attributes:
        inputs: what the model was given, without a mask.
        targets: what was to be found.
        answers: what the model said, as `Task.answer` returns it.
    """

    inputs: Tensor
    targets: Tensor
    answers: Tensor


class Task(ABC):
    """What is learned from a data set, how it is measured, and what a run leaves behind of it.

    A subclass is built as ``cls(facts, **options)``. Its keyword arguments are the options that a recipe may give under
    ``task``; those called ``mixup``, ``cutmix`` and ``label_smoothing`` come from the recipe's augmentation instead.

    Args:
        facts: what the data are.

    Attributes:
        target: the kind of target it learns: ``"class"``, ``"class_map"``, ``"field"`` or ``"distance"``.
        decides: the number that decides which weights are the best.
        higher_is_better: whether more of it is better.
        percent: the numbers that are shares, to be shown as such.

    Raises:
        WavezooError: if the data have targets of another kind.
    """

    target: ClassVar[str]
    decides: ClassVar[str]
    higher_is_better: ClassVar[bool]
    percent: ClassVar[tuple[str, ...]] = ()

    def __init__(self, facts: Facts) -> None:
        if facts.target != self.target:
            raise WavezooError(
                f"{type(self).__name__} learns targets of the kind {self.target!r}; those of these data are "
                f"{facts.target!r}. Choose another task, or other data."
            )
        self.facts = facts

    @property
    @abstractmethod
    def outputs(self) -> int:
        """The number of outputs K that the model needs."""

    @abstractmethod
    def loss(self, model: Model, batch: Batch) -> Tensor:
        """Return what training makes small, a number.

        Args:
            model: called with the inputs; returns outputs.
            batch: the inputs, and last the targets.
        """

    @abstractmethod
    def answer(self, outputs: Tensor) -> Tensor:
        """Return what the outputs say, as `metric` compares it with the targets: of their shape if it can be."""

    @abstractmethod
    def metric(self) -> Metric:
        """Return a metric to be updated with answers and targets, which are gathered from all processes before."""

    @abstractmethod
    def numbers(self, metric: Metric) -> dict[str, float]:
        """Return the numbers that tell how good the model is, by name, `decides` among them."""

    def details(self, metric: Metric) -> dict[str, dict[str, float]]:
        """Return tables for the summary, such as a number for each class."""
        return {}

    def write(self, folder: Path, metric: Metric, examples: Examples) -> list[str]:
        """Write what the run folder is to hold besides at the end; return what is missing for lack of a package."""
        return []


def shown(task: Any, name: str, value: float) -> str:
    """Return a number as people read it.

    Args:
        task: the task, or its class; None if it is not known.
        name: the number's name.
        value: the number.
    """
    return f"{value:.2%}" if name in getattr(task, "percent", ()) else f"{value:.4g}"


def shown_table(task: Task, name: str, values: Mapping[str, float]) -> str:
    """Return one of a task's tables of details as people read it.

    Args:
        task: the task.
        name: the table's name, such as ``accuracy_by_class``.
        values: what it holds.
    """
    number = name.partition("_by_")[0]
    number = number if number in task.percent else task.decides
    return f"{name.replace('_', ' ')}: " + ", ".join(
        f"{key} {shown(task, number, each)}" for key, each in values.items()
    )


def is_better(task: Task | type[Task], value: float, than: float | None) -> bool:
    """Return whether ``value`` of the deciding number is better than another, or the first."""
    if value != value:
        return False
    return than is None or (value > than if task.higher_is_better else value < than)
