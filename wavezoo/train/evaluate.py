"""The accuracy of a model, and of a run's saved weights."""

from pathlib import Path
from typing import Any, NamedTuple

import torch
from accelerate import Accelerator
from torch import nn
from torch.utils.data import DataLoader

from wavezoo.data import ImageDataset, find_dataset
from wavezoo.errors import require_positive
from wavezoo.models.wavepde import WavePDE
from wavezoo.recipe import Recipe
from wavezoo.train.prepare import build_accelerator, build_loaders, build_model, load_data
from wavezoo.train.run_folder import RunFolder


@torch.no_grad()
def accuracy(model: nn.Module, loader: DataLoader[Any], accelerator: Accelerator) -> float:
    """Return the share of images whose label ``model`` finds, each image counted once on however many processes."""
    model.eval()
    correct = total = 0
    for images, labels in loader:
        hits = accelerator.gather_for_metrics(model(images).argmax(1) == labels)
        correct += int(hits.sum())
        total += len(hits)
    return correct / total


class TrainedModel(NamedTuple):
    """A model as a run left it, and what it was trained by and on."""

    model: WavePDE
    recipe: Recipe
    dataset: ImageDataset


def load_run(run: Path, which: str = "last") -> TrainedModel:
    """Return the model of a run folder with its saved weights, ``"last"`` or ``"best"``.

    Raises:
        WavezooError: if the run folder or its weights cannot be read.
    """
    folder = RunFolder(run)
    recipe = folder.read_recipe()
    dataset = find_dataset(recipe.data.name)
    model = build_model(recipe, dataset)
    folder.load_weights(model, which)
    return TrainedModel(model, recipe, dataset)


def evaluate(
    run: Path,
    which: str = "last",
    device: str = "auto",
    data_path: str | None = None,
    resolution: float = 1.0,
    grid_spacing: float | None = None,
) -> float:
    """Return the test accuracy of a run's saved weights.

    Args:
        run: the run folder.
        which: ``"last"`` or ``"best"``.
        device: as for `train`.
        data_path: a local copy of the data in place of the one in the recipe.
        resolution: by what the test images are enlarged, by bicubic interpolation.
        grid_spacing: what the model is told of the distance of two pixels, in units of that in training; by default
            what follows from ``resolution``.

    Raises:
        WavezooError: if the run folder, its weights or its data cannot be read, or if ``resolution`` is not positive.
    """
    require_positive("resolution", resolution)
    model, recipe, dataset = load_run(run, which)
    model.set_grid_spacing(1 / resolution if grid_spacing is None else grid_spacing)
    accelerator = build_accelerator(recipe, device)
    data = recipe.data if data_path is None else recipe.data.model_copy(update={"path": data_path})
    _, test = load_data(dataset, data)
    _, loader = build_loaders(recipe, dataset, None, test, resolution)
    prepared_model, prepared_loader = accelerator.prepare(model, loader)
    return accuracy(prepared_model, prepared_loader, accelerator)
