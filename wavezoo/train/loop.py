"""The training loop."""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from accelerate.utils import set_seed
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from timm.data.mixup import Mixup
from timm.scheduler.scheduler import Scheduler
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import DataLoader

from wavezoo.data import find_dataset
from wavezoo.errors import WavezooError
from wavezoo.recipe import Recipe
from wavezoo.train.diagnose import explain_divergence
from wavezoo.train.evaluate import accuracy
from wavezoo.train.prepare import (
    build_accelerator,
    build_loaders,
    build_mixup,
    build_model,
    build_optimizer,
    build_schedule,
    load_data,
)
from wavezoo.train.run_folder import RunFolder, versions


@dataclass
class Trainer:
    """What one epoch of training needs."""

    accelerator: Accelerator
    model: nn.Module
    loader: DataLoader[Any]
    optimizer: torch.optim.Optimizer
    schedule: Scheduler | None
    mixup: Mixup | None
    label_smoothing: float
    clip_grad: float | None
    updates: int = 0

    def train_epoch(self, progress: Progress, task: Any) -> tuple[float, float]:
        """Train for one epoch; return its mean loss and its images per second.

        Raises:
            WavezooError: if the loss or a gradient becomes infinite or NaN; the message says where and what to change.
        """
        self.model.train()
        losses, images_seen, started = [], 0, time.perf_counter()
        for images, labels in self.loader:
            losses.append(self._update(images, labels))
            images_seen += len(labels) * self.accelerator.num_processes
            speed = images_seen / (time.perf_counter() - started)
            progress.update(task, advance=1, loss=f"{losses[-1]:.3f}", speed=f"{speed:.0f}")
        return sum(losses) / len(losses), images_seen / (time.perf_counter() - started)

    def _update(self, images: Tensor, labels: Tensor) -> float:
        target: Tensor = labels
        if self.mixup is not None:
            images, target = self.mixup(images, labels)
        with self.accelerator.autocast():
            logits = self.model(images)
        # Class indices or, after mixup, probabilities that are smoothed already.
        smoothing = 0.0 if self.mixup is not None else self.label_smoothing
        loss = F.cross_entropy(logits.float(), target, label_smoothing=smoothing)
        value = loss.item()
        if not torch.isfinite(loss):
            self._diverged(images, f"the loss is {value}")
        self.optimizer.zero_grad()
        self.accelerator.backward(loss)
        norm = self.accelerator.clip_grad_norm_(self.model.parameters(), self.clip_grad or float("inf"))
        # The scaler of float16 meets infinite gradients by design, and skips the update.
        if self.accelerator.scaler is None and norm is not None and not norm.isfinite():
            self._diverged(images, "a gradient is not finite")
        self.optimizer.step()
        self.updates += 1
        if self.schedule is not None:
            self.schedule.step_update(self.updates)
        return value

    def _diverged(self, images: Tensor, what: str) -> None:
        model = self.accelerator.unwrap_model(self.model)
        raise WavezooError(f"Training stopped at step {self.updates + 1}: {what}. {explain_divergence(model, images)}")


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
        WavezooError: if something in the recipe cannot work, before anything is written; or if training diverges, with
            what was saved by then left in place.
    """
    folder = RunFolder(out)
    folder.check_free()
    if recipe.data.path is not None:
        # So that the run folder can be evaluated from anywhere.
        path = str(Path(recipe.data.path).expanduser().resolve())
        recipe = recipe.model_copy(update={"data": recipe.data.model_copy(update={"path": path})})
    dataset = find_dataset(recipe.data.name)
    set_seed(recipe.seed)
    model = build_model(recipe, dataset)
    optimizer = build_optimizer(recipe, model)
    accelerator = build_accelerator(recipe, device)
    train_split, test_split = load_data(dataset, recipe.data)
    train_loader, test_loader = build_loaders(recipe, dataset, train_split, test_split)
    model_, optimizer_, train_loader_, test_loader_ = accelerator.prepare(model, optimizer, train_loader, test_loader)
    trainer = Trainer(
        accelerator,
        model_,
        train_loader_,
        optimizer_,
        build_schedule(recipe, optimizer, len(train_loader_)),
        build_mixup(recipe.augmentation, len(dataset.classes)),
        recipe.augmentation.label_smoothing,
        recipe.optimizer.clip_grad,
    )
    if accelerator.is_main_process:
        folder.create(recipe)
    summary = _run(recipe, folder, trainer, test_loader_, console or Console(quiet=not accelerator.is_main_process))
    accelerator.end_training()
    return summary


def _run(
    recipe: Recipe, folder: RunFolder, trainer: Trainer, test_loader: DataLoader[Any], console: Console
) -> dict[str, Any]:
    accelerator = trainer.accelerator
    model = accelerator.unwrap_model(trainer.model)
    parameters = sum(parameter.numel() for parameter in model.parameters())
    console.print(f"{recipe.name}: {recipe.model.name}, {parameters:,} parameters, on {accelerator.device}")
    started, best, best_epoch, test_accuracy = time.perf_counter(), -1.0, 0, 0.0
    columns = (
        TextColumn("epoch {task.fields[epoch]}/" + str(recipe.epochs)),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("loss {task.fields[loss]}  accuracy {task.fields[accuracy]}  {task.fields[speed]} images/s"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True) as progress:
        updates = recipe.epochs * len(trainer.loader)
        task = progress.add_task("train", total=updates, epoch=1, loss="-", accuracy="-", speed="-")
        for epoch in range(1, recipe.epochs + 1):
            progress.update(task, epoch=epoch)
            loss, speed = trainer.train_epoch(progress, task)
            test_accuracy = accuracy(trainer.model, test_loader, accelerator)
            improved = test_accuracy > best
            if improved:
                best, best_epoch = test_accuracy, epoch
            progress.update(task, accuracy=f"{test_accuracy:.2%}")
            progress.console.print(
                f"epoch {epoch}/{recipe.epochs}  loss {loss:.3f}  accuracy {test_accuracy:.2%}  {speed:.0f} images/s"
            )
            if accelerator.is_main_process:
                folder.add_metrics(
                    {
                        "epoch": epoch,
                        "loss": loss,
                        "test_accuracy": test_accuracy,
                        "learning_rate": trainer.optimizer.param_groups[0]["lr"],
                        "images_per_second": speed,
                        "seconds": time.perf_counter() - started,
                    }
                )
                folder.save_weights(model, "last")
                if improved:
                    folder.save_weights(model, "best")
    summary = {
        "recipe": recipe.name,
        "model": recipe.model.name,
        "accuracy": test_accuracy,
        "best_accuracy": best,
        "best_epoch": best_epoch,
        "parameters": parameters,
        "seconds": time.perf_counter() - started,
        "device": str(accelerator.device),
        "seed": recipe.seed,
        "versions": versions(),
    }
    if accelerator.is_main_process:
        folder.write_summary(summary)
    return summary
