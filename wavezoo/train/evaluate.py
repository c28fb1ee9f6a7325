"""How good a model is, and a run's saved weights are."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import torch
from accelerate import Accelerator
from torch import Tensor, nn
from torch.utils.data import DataLoader
from torchmetrics import Metric

from wavezoo.config.recipe import DataSection, Recipe, with_overrides
from wavezoo.data import Facts, ImageFacts
from wavezoo.errors import WavezooError, require_positive
from wavezoo.models.entry import SEQUENTIAL
from wavezoo.models.registry import find_model
from wavezoo.runs.folder import WEIGHTS, RunFolder
from wavezoo.tasks.base import Examples, Task
from wavezoo.train.accelerator import build_accelerator, isolated
from wavezoo.train.loaders import build_loader
from wavezoo.train.model import build_model, build_task, data_source, find_data, grid_outputs

Forward = Callable[..., Tensor]


class Evaluation(NamedTuple):
    """How good a model is.

    Attributes:
        task: what it was to do.
        numbers: the task's numbers, by name, shares between 0 and 1.
        details: tables of the task, such as the accuracy of each class.
    """

    task: Task
    numbers: dict[str, float]
    details: dict[str, dict[str, float]]

    @property
    def result(self) -> float:
        """The number that decides."""
        return self.numbers[self.task.decides]


def forward(model: nn.Module, recipe: Recipe, task: Task, accelerator: Accelerator) -> Forward:
    """Return what maps a batch's inputs to outputs in the order of the task, in the recipe's precision."""
    ordered = grid_outputs(recipe.model.name, task)

    def outputs(*inputs: Tensor) -> Tensor:
        with accelerator.autocast():
            return ordered(model(*inputs))

    return outputs


@torch.no_grad()
def measure(
    task: Task,
    model: Forward,
    loader: DataLoader[Any],
    accelerator: Accelerator,
    between: Callable[[], None] = lambda: None,
) -> Metric:
    """Compare what ``model`` says with the targets, each sample counted once on however many processes.

    Args:
        task: what is measured.
        model: from inputs to outputs.
        loader: batches of inputs and targets.
        accelerator: brings the processes together.
        between: called after every batch; what it raises ends the measurement.
    """
    metric = task.metric().to(accelerator.device)
    for *inputs, targets in loader:
        answers = task.answer(model(*inputs))
        metric.update(*accelerator.gather_for_metrics((answers, targets)))
        between()
    return metric


@torch.no_grad()
def examples(task: Task, model: Forward, loader: DataLoader[Any], device: torch.device, count: int) -> Examples:
    """Return the first samples of a loader and what ``model`` says of them."""
    dataset: Any = loader.dataset
    batch = dataset.__getitems__([(index, 0) for index in range(min(count, len(dataset)))])
    *inputs, targets = (each.to(device) for each in batch)
    return Examples(inputs[0], targets, task.answer(model(*inputs)))


class TrainedModel(NamedTuple):
    """A model as a run left it, what it was trained by and on, and what for."""

    model: nn.Module
    recipe: Recipe
    facts: Facts
    task: Task


def load_run(run: Path | str, which: str = "last") -> TrainedModel:
    """Return the model of a run folder with its saved weights, on the CPU and ready to predict.

    Args:
        run: the run folder.
        which: ``"last"`` or ``"best"``.

    Raises:
        WavezooError: if the run folder or its weights cannot be read.
    """
    if which not in WEIGHTS:
        raise WavezooError(f"there are no {which} weights; give last or best.")
    folder = RunFolder(Path(run))
    recipe = folder.read_recipe()
    facts = folder.read_facts()
    task = build_task(recipe, facts)
    with isolated():
        model = build_model(recipe, facts, task)
    folder.load_weights(model, which)
    return TrainedModel(model.eval(), recipe, facts, task)


def evaluate(
    run: Path | str,
    which: str = "last",
    device: str = "auto",
    data_path: str | None = None,
    resolution: float = 1.0,
    grid_spacing: float | None = None,
    overrides: Sequence[str] = (),
) -> Evaluation:
    """Test a run's saved weights.

    Args:
        run: the run folder.
        which: ``"last"`` or ``"best"``.
        device: as for `train`.
        data_path: a local copy of the data in place of the one in the recipe.
        resolution: by what the test images are enlarged, by bicubic interpolation.
        grid_spacing: what the model is told of the distance of two pixels, in units of that in training; by default
            what follows from the size of the enlarged images.
        overrides: ``data.key=value``, for other data than those of the recipe, such as ``data.size=33``.

    Raises:
        WavezooError: if the run folder, its weights or its data cannot be read, if the data have other classes than
            those of the run, if an override is not of the data, or if ``resolution`` is not positive or is given for
            anything but images seen as images.
    """
    require_positive("resolution", resolution)
    model, recipe, facts, task = load_run(run, which)
    sequences = find_model(recipe.model.name).kind in SEQUENTIAL
    if resolution != 1 and (sequences or not isinstance(facts, ImageFacts)):
        raise WavezooError(f"resolution is {resolution}; {recipe.model.name} sees no images that could be enlarged.")
    data = _data(recipe, overrides)
    data = data if data_path is None else data.model_copy(update={"path": data_path})
    entry, source = find_data(data.name), data_source(data)
    here = entry.facts_at(source)
    RunFolder(Path(run)).check_facts(here)
    if overrides:
        # The normalisation stays what the model was trained with.
        if isinstance(facts, ImageFacts) and isinstance(here, ImageFacts):
            facts = replace(facts, size=here.size)
        else:
            facts = here
        task = build_task(recipe, facts)
    _tell_spacing(model, recipe, facts, resolution, grid_spacing)
    with isolated():
        accelerator = build_accelerator(recipe, model, device)
        test = entry.read(source).test
        loader = build_loader(recipe, facts, test, training=False, sequences=sequences, resolution=resolution)
        prepared_model, prepared_loader = accelerator.prepare(model, loader)
        metric = measure(task, forward(prepared_model, recipe, task, accelerator), prepared_loader, accelerator)
        return Evaluation(task, task.numbers(metric), task.details(metric))


def _data(recipe: Recipe, overrides: Sequence[str]) -> DataSection:
    for override in overrides:
        if not override.startswith("data."):
            raise WavezooError(
                f"--set {override}: a trained model is tested as it is. Set keys below data, such as data.size."
            )
    return with_overrides(recipe, overrides).data


def _tell_spacing(
    model: nn.Module, recipe: Recipe, facts: Facts, resolution: float, grid_spacing: float | None
) -> None:
    if resolution == 1 and grid_spacing is None:
        return
    tell: Callable[[float], None] | None = getattr(model, "set_grid_spacing", None)
    if isinstance(facts, ImageFacts) and grid_spacing is None:
        pixels = round(facts.size * resolution)
        if not pixels:
            raise WavezooError(f"resolution is {resolution}, which leaves no pixel of {facts.size}. Raise it.")
        grid_spacing = facts.size / pixels
    if tell is not None and grid_spacing is not None:
        tell(grid_spacing)
    elif grid_spacing is not None and resolution == 1:
        raise WavezooError(f"grid_spacing is {grid_spacing}; {recipe.model.name} knows no grid spacing. Leave it out.")
