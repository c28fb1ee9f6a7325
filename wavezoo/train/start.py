"""Starts trainings, and resumes them."""

import signal
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from timm.utils import ModelEmaV3
from torch import Tensor, nn

from wavezoo.config.recipe import Recipe, load_recipe_text
from wavezoo.data import Facts
from wavezoo.errors import WavezooError
from wavezoo.files import find_path
from wavezoo.models.entry import SEQUENTIAL
from wavezoo.models.registry import find_model
from wavezoo.runs.compare import FREE_KEYS, flat
from wavezoo.runs.folder import RunFolder
from wavezoo.runs.records import Summary
from wavezoo.train.accelerator import build_accelerator, check_accelerator, isolated, seed_everything
from wavezoo.train.budget import Budget
from wavezoo.train.checkpoint import Progress, Trained, load_checkpoint
from wavezoo.train.finish import finish
from wavezoo.train.interruption import InterruptedTraining, Interruption
from wavezoo.train.loaders import build_loader
from wavezoo.train.loggers import Log, logger
from wavezoo.train.loop import Trainer
from wavezoo.train.model import build_model, build_task, data_source, find_data
from wavezoo.train.optimizer import build_optimizer, build_schedule


def train(recipe: Recipe, out: Path, device: str = "auto", console: Console | None = None) -> Summary:
    """Train the model of ``recipe`` and leave a run folder.

    Random generators, the current GPU and an `Accelerator` of the caller are left as they were.

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
        path = str(find_path(recipe.data.path, "data.path").resolve())
        recipe = recipe.model_copy(update={"data": recipe.data.model_copy(update={"path": path})})
    if recipe.init is not None:
        recipe = recipe.model_copy(update={"init": str(find_path(recipe.init, "init").resolve())})
    return _run(recipe, folder, device, console, None)


def resume(
    run: Path,
    recipe: Recipe | None = None,
    overrides: Sequence[str] = (),
    device: str = "auto",
    console: Console | None = None,
) -> Summary:
    """Go on with a run that was killed or interrupted; it ends as if it had not been.

    Args:
        run: the run folder.
        recipe: what the run is meant to be; the recipe in its folder by default.
        overrides: ``key=value``, for what no result depends on, such as ``data.path``.
        device: as for `train`; the results are the same to the bit on the same CPU only.
        console: where progress is shown.

    Raises:
        WavezooError: if the run folder or all its checkpoints cannot be read, if it is in use, if the data have other
            classes by now, or if the recipe is not the one that the run began with.
        InterruptedTraining: as for `train`.
    """
    console = console or Console(quiet=True)
    folder = RunFolder(run)
    begun = folder.read_recipe()
    recipe = recipe or folder.read_recipe(overrides)
    if (summary := folder.read_summary()) is not None:
        _require_same(begun, recipe, run)
        console.print(f"{run} has ended already; nothing is left to do", markup=False)
        return summary
    return _run(recipe, folder, device, console, folder.read_facts())


def _run(recipe: Recipe, folder: RunFolder, device: str, console: Console | None, known: Facts | None) -> Summary:
    """Train in a new folder or, with the facts ``known`` from one, in that."""
    with Interruption() as interruption, isolated():
        try:
            return _trained(recipe, folder, device, console or Console(quiet=True), known, interruption)
        except (RuntimeError, WavezooError) as error:
            # A scheduler's SIGTERM ends the loader's workers too, of which torch complains anywhere.
            if interruption.signal is None or "DataLoader worker" not in str(error):
                raise
            raise _stopped(interruption, folder) from None


def _trained(
    recipe: Recipe,
    folder: RunFolder,
    device: str,
    console: Console,
    known: Facts | None,
    interruption: Interruption,
) -> Summary:
    entry, source = find_data(recipe.data.name), data_source(recipe.data)
    facts = entry.facts_at(source)
    if known is not None:
        folder.check_facts(facts)
        facts = known
    check_accelerator(recipe, device)
    task = build_task(recipe, facts)
    seed_everything(recipe.seed)
    model = build_model(recipe, facts, task)
    if recipe.init is not None and known is None:
        with recipe.located("init"):
            RunFolder(Path(recipe.init)).load_weights(model, "last")
    optimizer = build_optimizer(recipe, model)
    sequences = find_model(recipe.model.name).kind in SEQUENTIAL
    if recipe.channels_last:
        if sequences:
            raise WavezooError("channels_last is for image models. Leave it out.")
        model.to(memory_format=torch.channels_last)
    splits = entry.read(source)
    loaders = {
        name: build_loader(recipe, facts, split, training=name == "train", sequences=sequences)
        for name in ("train", "test", "validation")
        if (split := getattr(splits, name)) is not None
    }
    sampler: Any = loaders["train"].sampler
    accelerator = build_accelerator(recipe, model, device)
    ema = None if recipe.ema is None else ModelEmaV3(model.to(accelerator.device), decay=recipe.ema)
    if accelerator.num_processes > 1:
        _lay_out_gradients(model)
    if recipe.compile:
        model.compile(dynamic=False)
    prepared_model, prepared_optimizer, *prepared = accelerator.prepare(model, optimizer, *loaders.values())
    prepared_loaders = dict(zip(loaders, prepared, strict=True))
    trained = Trained(accelerator, prepared_model, prepared_optimizer, ema, Progress())
    budget = Budget.of(recipe, len(prepared_loaders["train"]), accelerator.num_processes)
    schedule = build_schedule(recipe, optimizer, budget.updates, budget.updates_per_epoch)
    if not accelerator.is_main_process:
        console = Console(quiet=True)

    def trainer(log: Log) -> Trainer:
        return Trainer(
            recipe, folder, task, trained, budget, schedule, sampler, prepared_loaders, interruption, console, log
        )

    if interruption.signal is not None:
        raise _stopped(interruption, folder)
    with logger(recipe, folder) as log, _entered(folder, recipe, facts, known, accelerator.is_main_process):
        if known is not None:
            _go_on(folder, recipe, trained, budget, console)
        parameters = sum(each.numel() for each in model.parameters())
        begun = f", resumed after {trained.progress.updates} updates" if known is not None else ""
        console.print(
            f"{recipe.name}: {recipe.model.name}, {parameters:,} parameters, on {accelerator.device}{begun}",
            markup=False,
        )
        training = trainer(log)
        try:
            training.run()
            return finish(training, facts)
        finally:
            accelerator.end_training()


def _entered(
    folder: RunFolder, recipe: Recipe, facts: Facts, known: Facts | None, main: bool
) -> AbstractContextManager[None]:
    if not main:
        return nullcontext()
    return folder.resumed() if known is not None else folder.created(recipe, facts)


def _go_on(folder: RunFolder, recipe: Recipe, trained: Trained, budget: Budget, console: Console) -> None:
    def use(state: dict[str, Any]) -> None:
        begun = load_recipe_text(state["recipe"], folder.path)
        _require_same(begun, recipe, folder.path)
        fresh = Progress()
        trained.load(state)
        progress = trained.progress
        if progress.batch >= budget.batches or progress.updates != budget.done(progress.epoch, progress.batch):
            vars(progress).update(vars(fresh))
            raise ValueError("its progress does not add up")

    _, complaints = load_checkpoint(folder.path, use)
    for complaint in complaints:
        console.print(f"{complaint}; falling back to the one before", markup=False)


def _stopped(interruption: Interruption, folder: RunFolder) -> InterruptedTraining:
    """Return what tells that a signal came while nothing was being trained."""
    number = interruption.signal or signal.SIGTERM
    name = "Ctrl-C" if number == signal.SIGINT else "SIGTERM"
    kept = "Nothing was saved yet"
    if (folder.path / "recipe.yaml").is_file():
        kept = f"The last checkpoint is kept; go on with: wavezoo train --resume {folder.path}"
    return InterruptedTraining(f"stopped by {name} between two steps. {kept}", 128 + number)


def _lay_out_gradients(model: nn.Module) -> None:
    """Give gradients the strides of their parameters, which axes of length 1 leave open and processes compare."""

    def laid_out(gradient: Tensor, parameter: Tensor) -> Tensor:
        if gradient.is_contiguous() and parameter.is_contiguous():
            return gradient.as_strided(parameter.shape, parameter.stride())
        return gradient

    for each in model.parameters():
        if each.requires_grad and 1 in each.shape:
            each.register_hook(lambda gradient, parameter=each: laid_out(gradient, parameter))


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
            + "\nPut it back, or train anew into another folder."
        )
