"""The training loop."""

import copy
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from accelerate.utils import set_seed
from numpy.random import SeedSequence
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as ProgressBar
from timm.data.mixup import Mixup
from timm.scheduler.scheduler import Scheduler
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import DataLoader

from wavezoo.config.recipe import Recipe, dump_recipe
from wavezoo.data import Facts
from wavezoo.errors import WavezooError
from wavezoo.runs.folder import RunFolder, versions
from wavezoo.runs.plots import draw_curves
from wavezoo.train.checkpoint import Trained, save_checkpoint
from wavezoo.train.diagnose import courant_margin, explain_divergence
from wavezoo.train.evaluate import Confusion, confusion
from wavezoo.train.interruption import InterruptedTraining, Interruption
from wavezoo.train.loaders import Batch, EpochSampler

MARGIN_SAMPLES = 16
# Classes whose accuracies still fit on a screen.
MOST_CLASSES_SHOWN = 20


@dataclass
class Trainer:
    """A training under way.

    Attributes:
        recipe: what it is.
        folder: what it leaves behind.
        facts: what its data are.
        trained: all that it changes.
        schedule: the learning rate, None for a constant one.
        mixup: timm's, None without.
        sampler: the order of the training samples.
        loaders: batches of the splits ``train``, ``test`` and, if there is one, ``validation``.
        console: where it reports.
        log: takes each evaluation's epoch and measurements besides.
    """

    recipe: Recipe
    folder: RunFolder
    facts: Facts
    trained: Trained
    schedule: Scheduler | None
    mixup: Mixup | None
    sampler: EpochSampler
    loaders: dict[str, DataLoader[Any]]
    console: Console
    log: Callable[[int, Mapping[str, float]], None]
    _clock: float = field(default=0.0, init=False)
    _last_save: float = field(default=0.0, init=False)

    def run(self) -> dict[str, Any]:
        """Train to the end; return what ``summary.json`` holds.

        Raises:
            WavezooError: if the loss or a gradient becomes infinite or NaN, or if nothing can be written.
            InterruptedTraining: after SIGTERM or Ctrl-C, when everything is saved.
        """
        progress, recipe = self.trained.progress, self.recipe
        batches = len(self.loaders["train"])
        columns = (
            TextColumn("epoch {task.fields[epoch]}/" + str(recipe.epochs)),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("loss {task.fields[loss]}  {task.fields[speed]} samples/s"),
            TimeRemainingColumn(),
        )
        self._clock = self._last_save = time.perf_counter()
        with ProgressBar(*columns, console=self.console, transient=True) as bar, Interruption() as interruption:
            done = progress.epoch * batches + progress.batch
            task = bar.add_task("train", total=recipe.epochs * batches, completed=done, epoch=0, loss="-", speed="-")
            try:
                while progress.epoch < recipe.epochs and not self._out_of_patience():
                    bar.update(task, epoch=progress.epoch + 1)
                    speed = self._train_epoch(interruption, lambda **shown: bar.update(task, advance=1, **shown))
                    loss = self._mean_over_processes(progress.loss_sum) / batches
                    progress.epoch, progress.batch, progress.loss_sum = progress.epoch + 1, 0, 0.0
                    if progress.epoch % recipe.evaluation.every_epochs == 0 or progress.epoch == recipe.epochs:
                        self._evaluate(loss, speed)
                    self._save()
            except (RuntimeError, WavezooError) as error:
                # A scheduler's SIGTERM ends the loader's workers too, of which torch complains anywhere.
                if interruption.signal is None or "DataLoader worker" not in str(error):
                    raise
                raise self._interrupted(interruption.signal, "The last checkpoint is kept") from None
        return self._finish()

    def _train_epoch(self, interruption: Interruption, show: Callable[..., None]) -> float:
        """Train to the end of the epoch; return the samples per second."""
        progress, accelerator = self.trained.progress, self.trained.accelerator
        self.sampler.start(progress.epoch, progress.batch * self.recipe.batch_size * accelerator.num_processes)
        self.trained.model.train()
        samples, started = 0, time.perf_counter()
        for batch in self.loaders["train"]:
            loss = self._train_batch(batch)
            progress.batch += 1
            progress.loss_sum += loss
            samples += len(batch[-1]) * accelerator.num_processes
            show(loss=f"{loss:.3f}", speed=f"{samples / (time.perf_counter() - started):.0f}")
            if interruption.signal is not None:
                accelerator.set_trigger()
            # Between the batches of one update there are gradients, which no checkpoint holds.
            if not accelerator.sync_gradients:
                continue
            if accelerator.check_trigger():
                self._stop(interruption.signal)
            if time.perf_counter() - self._last_save > 60 * self.recipe.save_every_minutes:
                self._save()
        return samples / (time.perf_counter() - started)

    def _train_batch(self, batch: Batch) -> float:
        *inputs, labels = batch
        accelerator, progress, trained = self.trained.accelerator, self.trained.progress, self.trained
        # Anew for each batch, so that a resumed run needs no state of the generators.
        entropy = [self.recipe.seed, progress.epoch, progress.batch, accelerator.process_index]
        set_seed(int(SeedSequence(entropy).generate_state(1)[0]))
        target: Tensor = labels
        if self.mixup is not None:
            inputs[0], target = self.mixup(inputs[0], labels)
        if self.recipe.channels_last:
            inputs[0] = inputs[0].contiguous(memory_format=torch.channels_last)
        with accelerator.accumulate(trained.model):
            with accelerator.autocast():
                logits = trained.model(*inputs)
            # Class indices or, after mixup, probabilities that are smoothed already.
            smoothing = 0.0 if self.mixup is not None else self.recipe.augmentation.label_smoothing
            loss = F.cross_entropy(logits.float(), target, label_smoothing=smoothing)
            value = loss.item()
            if not torch.isfinite(loss):
                self._diverged(inputs, f"the loss is {value}")
            accelerator.backward(loss)
            if accelerator.sync_gradients:
                limit = self.recipe.optimizer.clip_grad or float("inf")
                norm = accelerator.clip_grad_norm_(trained.model.parameters(), limit)
                # The scaler of fp16 meets infinite gradients by design, and skips the update.
                if accelerator.scaler is None and norm is not None and not norm.isfinite():
                    self._diverged(inputs, "a gradient is not finite")
            trained.optimizer.step()
            trained.optimizer.zero_grad()
        if accelerator.sync_gradients:
            progress.updates += 1
            if self.schedule is not None:
                self.schedule.step_update(progress.updates)
            if trained.ema is not None:
                trained.ema.update(accelerator.unwrap_model(trained.model), progress.updates)
        return value

    def _evaluate(self, loss: float, speed: float) -> None:
        """Measure, report, and save the weights."""
        progress = self.trained.progress
        split = self._deciding_split
        accuracy = self._confusion(split).accuracy
        rates = {bool(group.get("physical")): group["lr"] for group in self.trained.optimizer.param_groups}
        measured = {
            "epoch": progress.epoch,
            "updates": progress.updates,
            "loss": loss,
            f"{split}_accuracy": accuracy,
            "learning_rate": rates[False],
            "physics_learning_rate": rates.get(True),
            "courant_margin": self._courant_margin(split),
            "samples_per_second": speed,
            "seconds": self._seconds(),
        }
        progress.metrics.append(measured)
        if improved := accuracy > progress.best:
            progress.best, progress.best_epoch = accuracy, progress.epoch
        self.console.print(
            f"epoch {progress.epoch}/{self.recipe.epochs}  loss {loss:.3f}  {split} accuracy {accuracy:.2%}  "
            f"{speed:.0f} samples/s"
        )
        weights = self._weights()
        if self.trained.accelerator.is_main_process:
            self.log(progress.epoch, {name: value for name, value in measured.items() if value is not None})
            self.folder.save_weights(weights, "last")
            if improved:
                self.folder.save_weights(weights, "best")
            self.folder.write_metrics(progress.metrics)

    def _finish(self) -> dict[str, Any]:
        """Test the last and the best weights and write the summary."""
        accelerator, progress = self.trained.accelerator, self.trained.progress
        last = self._confusion("test")
        best = progress.best
        if self._deciding_split != "test":
            best = last.accuracy if progress.best_epoch == progress.epoch else self._test_best()
        classes = self.facts.classes
        summary = {
            "recipe": self.recipe.name,
            "model": self.recipe.model.name,
            "data": self.recipe.data.name,
            "accuracy": last.accuracy,
            "best_accuracy": best,
            "best_epoch": progress.best_epoch,
            "best_by": self._deciding_split,
            "accuracy_by_class": dict(zip(classes, last.by_class(), strict=True)),
            "epochs": progress.epoch,
            "updates": progress.updates,
            "parameters": sum(each.numel() for each in self._averaged_model().parameters()),
            "seconds": self._seconds(),
            "device": str(accelerator.device),
            "processes": accelerator.num_processes,
            "seed": self.recipe.seed,
            "versions": versions(),
        }
        if accelerator.is_main_process:
            self.folder.write_confusion(classes, last.counts.tolist())
            if not draw_curves(progress.metrics, self.folder.path / "curves.png"):
                self.console.print("no curves.png: pip install 'wavezoo[plot]' for matplotlib, which draws it")
            self.folder.write_summary(summary)
        if len(classes) <= MOST_CLASSES_SHOWN:
            shares = (f"{name} {share:.1%}" for name, share in zip(classes, last.by_class(), strict=True))
            self.console.print(f"accuracy by class: {', '.join(shares)}", markup=False)
        return summary

    @property
    def _deciding_split(self) -> str:
        """The split whose accuracy decides which weights are the best."""
        return "validation" if "validation" in self.loaders else "test"

    def _out_of_patience(self) -> bool:
        patience, progress = self.recipe.evaluation.patience, self.trained.progress
        without = sum(each["epoch"] > progress.best_epoch for each in progress.metrics)
        return patience is not None and without >= patience

    def _confusion(self, split: str, model: nn.Module | None = None) -> Confusion:
        if model is None:
            model = self.trained.model if self.trained.ema is None else self.trained.ema.module
        return confusion(model, self.loaders[split], self.trained.accelerator, len(self.facts.classes))

    def _test_best(self) -> float:
        model = copy.deepcopy(self._averaged_model())
        self.folder.load_weights(model, "best")
        return self._confusion("test", model).accuracy

    def _averaged_model(self) -> nn.Module:
        """Return the bare model, with the moving average of its weights if there is one."""
        if self.trained.ema is not None:
            return self.trained.ema.module
        return self.trained.accelerator.unwrap_model(self.trained.model)

    def _courant_margin(self, split: str) -> float | None:
        if not self.trained.accelerator.is_main_process or self.recipe.fsdp:
            return None
        dataset: Any = self.loaders[split].dataset
        *inputs, _ = dataset.__getitems__([(index, 0) for index in range(min(MARGIN_SAMPLES, len(dataset)))])
        return courant_margin(self._averaged_model(), [each.to(self.trained.accelerator.device) for each in inputs])

    def _weights(self) -> dict[str, Tensor]:
        if self.trained.ema is not None:
            return self.trained.ema.module.state_dict()
        return self.trained.accelerator.get_state_dict(self.trained.model)

    def _mean_over_processes(self, value: float) -> float:
        accelerator = self.trained.accelerator
        if accelerator.num_processes == 1:
            return value
        tensor = torch.tensor(value, dtype=torch.float64, device=accelerator.device)
        return accelerator.reduce(tensor, "mean").item()

    def _seconds(self) -> float:
        """Return the time spent on the run, before it was resumed too."""
        now = time.perf_counter()
        self.trained.progress.seconds += now - self._clock
        self._clock = now
        return self.trained.progress.seconds

    def _save(self) -> None:
        self._seconds()
        state = self.trained.state()
        state["progress"]["loss_sum"] = self._mean_over_processes(self.trained.progress.loss_sum)
        if self.trained.accelerator.is_main_process:
            save_checkpoint(self.folder.path, dump_recipe(self.recipe), state)
        self._last_save = time.perf_counter()

    def _stop(self, signal_number: int | None) -> None:
        self._save()
        # In a group of processes, another one may have had the signal.
        raise self._interrupted(signal_number or signal.SIGTERM, "Everything is saved")

    def _interrupted(self, signal_number: int, kept: str) -> InterruptedTraining:
        progress = self.trained.progress
        name = "Ctrl-C" if signal_number == signal.SIGINT else "SIGTERM"
        return InterruptedTraining(
            f"stopped by {name} after {progress.updates} updates, in epoch {progress.epoch + 1} of "
            f"{self.recipe.epochs}. {kept}; go on with: wavezoo train --resume {self.folder.path}",
            128 + signal_number,
        )

    def _diverged(self, inputs: Sequence[Tensor], what: str) -> None:
        model = self.trained.accelerator.unwrap_model(self.trained.model)
        updates = self.trained.progress.updates
        raise WavezooError(f"Training stopped at step {updates + 1}: {what}. {explain_divergence(model, inputs)}")
