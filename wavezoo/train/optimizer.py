"""The optimiser that a recipe describes, and the schedule of its learning rates."""

from typing import Any

import torch
from timm.optim import create_optimizer_v2, list_optimizers
from timm.scheduler import create_scheduler_v2
from timm.scheduler.scheduler import Scheduler
from torch import nn

from wavezoo.config.recipe import Recipe
from wavezoo.errors import WavezooError, not_allowed
from wavezoo.train.model import physical_parameters


def build_optimizer(recipe: Recipe, model: nn.Module) -> torch.optim.Optimizer:
    """Return one of timm's optimisers; physical parameters form a group of their own.

    These, norms, biases and what a model names in ``no_weight_decay`` have no weight decay.

    Raises:
        WavezooError: if timm has no such optimiser, or if it cannot run here.
    """
    settings = recipe.optimizer
    if settings.name not in list_optimizers():
        raise not_allowed("optimizer.name", settings.name, list_optimizers())
    physical = {id(parameter) for parameter in physical_parameters(model)}
    exempt: set[str] = getattr(model, "no_weight_decay", set)()
    named = dict(model.named_parameters())
    rest = {name: value for name, value in named.items() if id(value) not in physical}
    decayed = {name: value for name, value in rest.items() if value.ndim > 1 and name not in exempt}
    groups: list[dict[str, Any]] = [
        {"params": list(decayed.values()), "weight_decay": settings.weight_decay},
        {"params": [value for name, value in rest.items() if name not in decayed], "weight_decay": 0.0},
        {
            "params": [value for value in named.values() if id(value) in physical],
            "weight_decay": 0.0,
            "lr": settings.physics_lr or settings.lr,
            "physical": True,
            # Muon is for linear maps: it takes the steps of AdamW here.
            "use_fallback": True,
        },
    ]
    try:
        _take_a_step(settings.name, settings.lr)
        return create_optimizer_v2([group for group in groups if group["params"]], opt=settings.name, lr=settings.lr)
    # Some of timm's need a library or a device, some more than a gradient.
    except Exception as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise WavezooError(
            f"optimizer.name is {settings.name!r}, which cannot run here ({reason}). Choose another, such as adamw."
        ) from error


def build_schedule(
    recipe: Recipe, optimizer: torch.optim.Optimizer, updates: int, updates_per_epoch: int
) -> Scheduler | None:
    """Return one of timm's schedules, in units of updates, or None for a constant learning rate.

    All groups of parameters follow the schedule of ``optimizer.lr``, each at its own ratio to it.

    Args:
        recipe: gives the schedule.
        optimizer: as `build_optimizer` returns it; it is set to the first update's learning rate.
        updates: length of the training.
        updates_per_epoch: length of an epoch.
    """
    settings = recipe.schedule
    warmup = settings.warmup_steps or settings.warmup_epochs * updates_per_epoch
    if settings.name == "constant" and not warmup:
        return None
    for group in optimizer.param_groups:
        group["lr_scale"] = group["lr"] / recipe.optimizer.lr
        group["lr"] = recipe.optimizer.lr
    schedule, _ = create_scheduler_v2(
        optimizer,
        # With no decay left to do, timm's polynomial stays at the base rate.
        sched="poly" if settings.name == "constant" else settings.name,
        num_epochs=updates,
        min_lr=recipe.optimizer.lr if settings.name == "constant" else settings.min_lr,
        warmup_epochs=warmup,  # type: ignore[arg-type]
        warmup_lr=0.0,
        warmup_prefix=False,
        step_on_epochs=False,
        updates_per_epoch=1,
    )
    return schedule


def _take_a_step(name: str, lr: float) -> None:
    """Let the optimiser train something small, outside of all random generators."""
    with torch.random.fork_rng(devices=[]):
        model = nn.Linear(2, 2)
        optimizer = create_optimizer_v2(model, opt=name, lr=lr)
        model(torch.ones(1, 2)).sum().backward()
        optimizer.step()
