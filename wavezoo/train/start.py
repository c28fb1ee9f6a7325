"""Starts trainings, and resumes them."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import torch
from accelerate.utils import set_seed
from rich.console import Console
from timm.utils import ModelEmaV3

from wavezoo.config.recipe import Recipe, load_recipe_text
from wavezoo.data import Facts, find_dataset
from wavezoo.errors import WavezooError, not_allowed
from wavezoo.runs.compare import FREE_KEYS, flat
from wavezoo.runs.folder import RunFolder
from wavezoo.train.checkpoint import Progress, Trained, load_checkpoint
from wavezoo.train.loaders import EpochSampler, build_loader
from wavezoo.train.loop import Trainer
from wavezoo.train.prepare import (
    build_accelerator,
    build_mixup,
    build_model,
    build_optimizer,
    build_schedule,
    data_source,
    for_sequences,
)


def train(recipe: Recipe, out: Path, device: str = "auto", console: Console | None = None) -> dict[str, Any]:
    """Train the model of ``recipe`` and leave a run folder.

    Args:
        recipe: what to train, on what, how.
        out: the run folder; it must not exist, or be empty.
        device: ``"auto"`` for the best there is, or ``"cpu"``, ``"cuda"``, ``"cuda:1"``, ``"mps"``.
        console: where progress is shown.

    Returns:
        What ``summary.json`` holds.

    Raises:
        WavezooError: if something in the recipe cannot work, before anything is written; or if training diverges or
            cannot write, with what was saved by then left in place.
        InterruptedTraining: after SIGTERM or Ctrl-C, when everything is saved.
    """
    folder = RunFolder(out)
    folder.check_free()
    if recipe.data.path is not None:
        # So that the run folder can be evaluated from anywhere.
        path = str(Path(recipe.data.path).expanduser().resolve())
        recipe = recipe.model_copy(update={"data": recipe.data.model_copy(update={"path": path})})
    facts = find_dataset(recipe.data.name).facts_at(data_source(recipe.data))
    return _train(recipe, facts, folder, device, console, None)


def resume(
    run: Path,
    recipe: Recipe | None = None,
    overrides: Sequence[str] = (),
    device: str = "auto",
    console: Console | None = None,
) -> dict[str, Any]:
    """Go on with a run that was killed or interrupted; it ends as if it had not been.

    Args:
        run: the run folder.
        recipe: what the run is meant to be; the recipe in its folder by default.
        overrides: ``key=value``, for what no result depends on, such as ``data.path``.
        device: as for `train`; the results are the same to the bit on the same CPU only.
        console: where progress is shown.

    Raises:
        WavezooError: if the run folder or all its checkpoints cannot be read, or if the recipe is not the one that the
            run began with.
        InterruptedTraining: as for `train`.
    """
    console = console or Console(quiet=True)
    folder = RunFolder(run)
    recipe = recipe or folder.read_recipe(overrides)
    state, complaints = load_checkpoint(run)
    for complaint in complaints:
        console.print(f"{complaint}; falling back to the one before", markup=False)
    if state is not None:
        _require_same(load_recipe_text(state["recipe"], run), recipe, run)
    if (summary := folder.read_summary()) is not None:
        console.print(f"{run} has ended already; nothing is left to do", markup=False)
        return summary
    return _train(recipe, folder.read_facts(), folder, device, console, state)


def _train(
    recipe: Recipe, facts: Facts, folder: RunFolder, device: str, console: Console | None, state: dict[str, Any] | None
) -> dict[str, Any]:
    if recipe.epochs is None:
        raise WavezooError("the budget is given in steps or samples; give it in epochs.")
    set_seed(recipe.seed)
    model = build_model(recipe, facts)
    optimizer = build_optimizer(recipe, model)
    accelerator = build_accelerator(recipe, device)
    if recipe.channels_last:
        if for_sequences(recipe):
            raise WavezooError("channels_last is for image models. Leave it out.")
        model.to(memory_format=torch.channels_last)
    splits = find_dataset(recipe.data.name).read(data_source(recipe.data))
    loaders = {
        name: build_loader(recipe, facts, split, training=name == "train", sequences=for_sequences(recipe))
        for name in ("train", "test", "validation")
        if (split := getattr(splits, name)) is not None
    }
    sampler = loaders["train"].sampler
    assert isinstance(sampler, EpochSampler)
    mixup = build_mixup(recipe.augmentation, len(facts.classes))
    ema = None if recipe.ema is None else ModelEmaV3(model.to(accelerator.device), decay=recipe.ema)
    if recipe.compile:
        model.compile(dynamic=False)
    prepared_model, prepared_optimizer, *prepared = accelerator.prepare(model, optimizer, *loaders.values())
    prepared_loaders = dict(zip(loaders, prepared, strict=True))
    trained = Trained(accelerator, prepared_model, prepared_optimizer, ema, Progress())
    updates_per_epoch = -(-len(prepared_loaders["train"]) // recipe.optimizer.accumulate)
    schedule = build_schedule(recipe, optimizer, updates_per_epoch)
    with _tensorboard(recipe, folder) as log:
        if state is not None:
            trained.load(state)
        elif accelerator.is_main_process:
            folder.create(recipe, facts)
        if accelerator.is_main_process:
            folder.remove_leavings()
        console = console if console is not None and accelerator.is_main_process else Console(quiet=True)
        parameters = sum(each.numel() for each in model.parameters())
        begun = f", resumed after {trained.progress.updates} updates" if state is not None else ""
        console.print(f"{recipe.name}: {recipe.model.name}, {parameters:,} parameters, on {accelerator.device}{begun}")
        trainer = Trainer(recipe, folder, facts, trained, schedule, mixup, sampler, prepared_loaders, console, log)
        try:
            return trainer.run()
        finally:
            accelerator.end_training()


def _require_same(begun: Recipe, now: Recipe, run: Path) -> None:
    before, after = flat(begun.model_dump(mode="json")), flat(now.model_dump(mode="json"))
    changed = [
        f"  {key}: {before.get(key)!r} when it began, {after.get(key)!r} now"
        for key in sorted({*before, *after})
        if before.get(key) != after.get(key) and key not in FREE_KEYS
    ]
    if changed:
        raise WavezooError(
            f"the recipe of {run} has changed since the run began:\n"
            + "\n".join(changed)
            + "\nPut it back, or train anew "
            "into another folder."
        )


@contextmanager
def _tensorboard(recipe: Recipe, folder: RunFolder) -> Iterator[Callable[[int, Mapping[str, float]], None]]:
    """Yield what writes measurements for TensorBoard, or what does nothing if the recipe does not ask for it."""
    if recipe.logger is None:
        yield lambda epoch, measured: None
        return
    if recipe.logger != "tensorboard":
        raise not_allowed("logger", recipe.logger, ["tensorboard"])
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        raise WavezooError("logger: tensorboard needs the package tensorboard; pip install 'wavezoo[plot]'.") from error

    with ExitStack() as opened:
        writer = None

        def log(epoch: int, measured: Mapping[str, float]) -> None:
            nonlocal writer
            if writer is None:
                # What a killed run had logged of this epoch and later ones is void. One file for all that follow:
                # TensorBoard reads files in the order of their names, which tell seconds but not what came first.
                writer = opened.enter_context(SummaryWriter(folder.path / "tensorboard", purge_step=epoch))
            for name, value in measured.items():
                writer.add_scalar(name, value, epoch)
            # A process that is killed loses what it holds.
            writer.flush()

        yield log
