"""The same way through the house in under a minute: any recipe, made small."""

from typing import Any

from wavezoo.config.recipe import Recipe
from wavezoo.models.entry import SEQUENTIAL
from wavezoo.models.registry import find_model, model_options

# What is set where a model takes it.
SMALL_MODEL: dict[str, Any] = {
    "depths": [1, 1],
    "dims": [16, 16],
    "strides": [1, 2],
    "depth": 2,
    "dim": 16,
    "drop_path_rate": 0.0,
    # At so few channels a mixer may have more parameters than a whole block is to have.
    "matching": "width",
}


def smoke(recipe: Recipe) -> Recipe:
    """Return ``recipe`` made so small that it trains in under a minute on one core, and its result means nothing.

    One epoch of a few samples in small batches, a model of two narrow blocks where wavezoo knows how to make it small,
    fresh weights, no moving average and no workers; schemes, data, augmentation, optimiser and precision stay.
    """
    name = recipe.model.name
    sequences = find_model(name).kind in SEQUENTIAL
    takes = model_options(name) or {}
    small = {key: value for key, value in SMALL_MODEL.items() if key in takes}
    samples, batch_size = (16, 4) if sequences else (64, 16)
    content = recipe.model_dump(mode="json")
    content["model"] |= small
    content["data"] |= {"limit_samples": min(samples, recipe.data.limit_samples or samples), "workers": 0}
    content["evaluation"] |= {"every_epochs": 1, "every_steps": None}
    content |= {
        "name": f"{recipe.name}_smoke",
        "epochs": 1,
        "steps": None,
        "samples": None,
        "batch_size": min(batch_size, recipe.batch_size),
        "ema": None,
        "init": None,
    }
    return Recipe.model_validate(content)
