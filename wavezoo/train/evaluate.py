"""How good a model is, and a run's saved weights are."""

from pathlib import Path
from typing import Any, NamedTuple

import torch
from accelerate import Accelerator
from torch import Tensor, nn
from torch.utils.data import DataLoader

from wavezoo.config.recipe import Recipe
from wavezoo.data import Facts, ImageFacts, find_dataset
from wavezoo.errors import WavezooError, require_positive
from wavezoo.runs.folder import RunFolder
from wavezoo.train.loaders import build_loader
from wavezoo.train.prepare import Model, build_accelerator, build_model, data_source, for_sequences


class Confusion(NamedTuple):
    """How often samples of each true class (rows) were taken for each class (columns).

    Attributes:
        counts: ``(classes, classes)``, int64.
    """

    counts: Tensor

    @property
    def accuracy(self) -> float:
        """The share of samples whose class was found."""
        return int(self.counts.diagonal().sum()) / int(self.counts.sum())

    def by_class(self) -> list[float]:
        """Return the share of each class's samples whose class was found; 0 for a class without samples."""
        return (self.counts.diagonal() / self.counts.sum(1).clamp(min=1).double()).tolist()


@torch.no_grad()
def confusion(model: nn.Module, loader: DataLoader[Any], accelerator: Accelerator, classes: int) -> Confusion:
    """Compare what ``model`` says with the labels, each sample counted once on however many processes."""
    model.eval()
    counts = torch.zeros(classes * classes, dtype=torch.long, device=accelerator.device)
    for *inputs, labels in loader:
        with accelerator.autocast():
            said = model(*inputs).argmax(1)
        said, labels = accelerator.gather_for_metrics((said, labels))
        counts += torch.bincount(labels * classes + said, minlength=classes * classes)
    return Confusion(counts.cpu().view(classes, classes))


class TrainedModel(NamedTuple):
    """A model as a run left it, and what it was trained by and on."""

    model: Model
    recipe: Recipe
    facts: Facts


def load_run(run: Path, which: str = "last") -> TrainedModel:
    """Return the model of a run folder with its saved weights, ``"last"`` or ``"best"``.

    Raises:
        WavezooError: if the run folder or its weights cannot be read.
    """
    folder = RunFolder(run)
    recipe = folder.read_recipe()
    facts = folder.read_facts()
    model = build_model(recipe, facts)
    folder.load_weights(model, which)
    return TrainedModel(model, recipe, facts)


def evaluate(
    run: Path,
    which: str = "last",
    device: str = "auto",
    data_path: str | None = None,
    resolution: float = 1.0,
    grid_spacing: float | None = None,
) -> Confusion:
    """Test a run's saved weights.

    Args:
        run: the run folder.
        which: ``"last"`` or ``"best"``.
        device: as for `train`.
        data_path: a local copy of the data in place of the one in the recipe.
        resolution: by what the test images are enlarged, by bicubic interpolation.
        grid_spacing: what the model is told of the distance of two pixels, in units of that in training; by default
            what follows from ``resolution``.

    Raises:
        WavezooError: if the run folder, its weights or its data cannot be read, or if ``resolution`` is not positive
            or is given for anything but images seen as images.
    """
    require_positive("resolution", resolution)
    model, recipe, facts = load_run(run, which)
    sequences = for_sequences(recipe)
    if resolution != 1 and (sequences or not isinstance(facts, ImageFacts)):
        raise WavezooError(f"resolution is {resolution}; {recipe.model.name} sees no images that could be enlarged.")
    model.set_grid_spacing(1 / resolution if grid_spacing is None else grid_spacing)
    accelerator = build_accelerator(recipe, device)
    data = recipe.data if data_path is None else recipe.data.model_copy(update={"path": data_path})
    test = find_dataset(recipe.data.name).read(data_source(data)).test
    loader = build_loader(recipe, facts, test, training=False, sequences=sequences, resolution=resolution)
    prepared_model, prepared_loader = accelerator.prepare(model, loader)
    return confusion(prepared_model, prepared_loader, accelerator, len(facts.classes))
