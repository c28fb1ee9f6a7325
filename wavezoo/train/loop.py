"""The training loop."""

import copy
import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from numpy.random import SeedSequence
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as ProgressBar
from timm.scheduler.scheduler import Scheduler
from torch import Tensor, nn
from torch.utils.data import DataLoader
from torchmetrics import Metric

from wavezoo.config.recipe import Recipe, dump_recipe
from wavezoo.errors import WavezooError
from wavezoo.runs.folder import RunFolder
from wavezoo.runs.records import Measurement
from wavezoo.tasks.base import Task, is_better, shown
from wavezoo.train.accelerator import seed_everything
from wavezoo.train.budget import Budget
from wavezoo.train.checkpoint import Trained, save_checkpoint
from wavezoo.train.diagnose import courant_margin, explain_divergence
from wavezoo.train.evaluate import Forward, forward, measure
from wavezoo.train.interruption import InterruptedTraining, Interruption
from wavezoo.train.loaders import Batch, EpochSampler
from wavezoo.train.loggers import Log
from wavezoo.train.speed import Speed

MARGIN_SAMPLES = 16
# Updates between two looks at the loss on a device that works ahead; on a CPU nothing waits for a look.
LOOK_EVERY = 20


@dataclass
class Trainer:
    """A training under way.

    Attributes:
        recipe: what it is.
        folder: what it leaves behind.
        task: what it is for.
        trained: all that it changes.
        budget: how long it is.
        schedule: the learning rate, None for a constant one.
        sampler: the order of the training samples.
        loaders: batches of the splits ``train``, ``test`` and, if there is one, ``validation``.
        interruption: notes a signal that ends it.
        console: where it reports.
        log: takes measurements besides.
    """

    recipe: Recipe
    folder: RunFolder
    task: Task
    trained: Trained
    budget: Budget
    schedule: Scheduler | None
    sampler: EpochSampler
    loaders: dict[str, DataLoader[Any]]
    interruption: Interruption
    console: Console
    log: Log
    _clock: float = field(default=0.0, init=False)
    _last_save: float = field(default=0.0, init=False)
    _loss_sum: Tensor = field(init=False)
    _speed: Speed = field(init=False)
    _forward: Forward = field(init=False)

    def run(self) -> None:
        """Train to the end of the budget, or until nothing gets better.

        Raises:
            WavezooError: if the loss or a gradient becomes infinite or NaN, or if nothing can be written.
            InterruptedTraining: after SIGTERM or Ctrl-C, when everything is saved.
        """
        progress, device = self.trained.progress, self.trained.accelerator.device
        wide = torch.float32 if device.type == "mps" else torch.float64
        self._clock = self._last_save = time.perf_counter()
        self._loss_sum = torch.tensor(progress.loss_sum, dtype=wide, device=device)
        self._forward = forward(self.trained.model, self.recipe, self.task, self.trained.accelerator)
        columns = (
            TextColumn("epoch {task.fields[epoch]}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("loss {task.fields[loss]}  {task.fields[speed]} samples/s"),
            TimeRemainingColumn(),
        )
        with ProgressBar(*columns, console=self.console, transient=True) as bar:
            shown_by = bar.add_task("", total=self.budget.updates, epoch=0, loss="-", speed="-")
            while progress.updates < self.budget.updates and not self._out_of_patience():
                self._train_epoch(lambda **fields: bar.update(shown_by, **fields))

    @property
    def deciding_split(self) -> str:
        """The split that decides which weights are the best."""
        return "validation" if "validation" in self.loaders else "test"

    def measured(
        self, split: str, model: nn.Module | None = None, between: Callable[[], None] = lambda: None
    ) -> Metric:
        """Return the task's metric on a split, of the weights as they are, or of another model.

        Args:
            split: what is measured.
            model: in place of the one that is trained.
            between: called after every batch; what it raises ends the measurement.
        """
        trained, accelerator = self.trained, self.trained.accelerator
        if model is None:
            model = trained.model if trained.ema is None else trained.ema.module
        model.eval()
        outputs = forward(model, self.recipe, self.task, accelerator)
        return measure(self.task, outputs, self.loaders[split], accelerator, between)

    def tested(self, best: bool = False) -> Metric:
        """Return the task's metric on the test split, of the last weights or the best, when training is over.

        Raises:
            InterruptedTraining: after a signal, where there is one process; the rest can be done by resuming.
        """
        model = None
        if best:
            model = copy.deepcopy(self.trained.bare_model())
            self.folder.load_weights(model, "best")
        return self.measured("test", model, self._stop_if_told)

    def save(self) -> None:
        """Write a checkpoint; to be called by all processes together, between updates."""
        self.seconds()
        self.trained.progress.loss_sum = self._mean_over_processes(self._loss_sum.item())
        state = self.trained.state()
        if self.trained.accelerator.is_main_process:
            save_checkpoint(self.folder, dump_recipe(self.recipe), state)
        self._last_save = time.perf_counter()

    def seconds(self) -> float:
        """Return the time spent on the run, before it was resumed too."""
        now = time.perf_counter()
        self.trained.progress.seconds += now - self._clock
        self._clock = now
        return self.trained.progress.seconds

    def _train_epoch(self, show: Callable[..., None]) -> None:
        """Train to the end of the epoch, or of the training."""
        progress, accelerator, loader = self.trained.progress, self.trained.accelerator, self.loaders["train"]
        self.sampler.start(progress.epoch, progress.batch * self.recipe.batch_size * accelerator.num_processes)
        self.trained.model.train()
        self._speed = Speed()
        for batch in loader:
            self._train_batch(batch, show)
            # Between the batches of one update there are gradients, which no checkpoint holds.
            if accelerator.sync_gradients and self._pause():
                break
        # A loader that is left early still counts as the one in use.
        if accelerator.gradient_state.in_dataloader:
            loader.end()  # type: ignore[attr-defined]

    def _pause(self) -> bool:
        """Do what is due after an update: evaluate, save, stop; return whether the training is over."""
        progress, budget = self.trained.progress, self.budget
        if progress.batch >= budget.batches:
            progress.epoch, progress.batch = progress.epoch + 1, 0
        signalled, save_due = self._agreed(self.interruption.signal is not None, self._time_to_save())
        due = progress.updates % budget.evaluate_every == 0 or progress.updates >= budget.updates
        if due:
            self._evaluate()
        if due or progress.batch == 0:
            self._forget_losses()
        if due or progress.batch == 0 or save_due or signalled:
            self.save()
        if signalled or (due and any(self._agreed(self.interruption.signal is not None))):
            # In a group of processes, another one may have had the signal.
            raise self.stopped(self.interruption.signal or signal.SIGTERM, "Everything is saved")
        return progress.updates >= budget.updates or (due and self._out_of_patience())

    def _train_batch(self, batch: Batch, show: Callable[..., None]) -> None:
        accelerator, progress, trained = self.trained.accelerator, self.trained.progress, self.trained
        # Anew for each batch, so that a resumed run needs no state of the generators.
        entropy = [self.recipe.seed, progress.epoch, progress.batch, accelerator.process_index]
        seed_everything(int(SeedSequence(entropy).generate_state(1)[0]))
        if self.recipe.channels_last:
            batch = (batch[0].contiguous(memory_format=torch.channels_last), *batch[1:])
        norm = None
        with accelerator.accumulate(trained.model):
            loss = self.task.loss(self._forward, batch)
            if self._looks():
                self._check_loss(loss, batch, show)
            accelerator.backward(loss)
            if accelerator.sync_gradients:
                limit = self.recipe.optimizer.clip_grad or float("inf")
                norm = accelerator.clip_grad_norm_(trained.model.parameters(), limit)
                # The scaler of fp16 meets infinite gradients by design, and skips the update.
                finite = accelerator.scaler is not None or norm is None or not self._looks() or norm.isfinite()
                if not finite:
                    self._diverged(batch, "a gradient is not finite")
            trained.optimizer.step()
            trained.optimizer.zero_grad()
        self._loss_sum += loss.detach()
        progress.batch += 1
        progress.loss_count += 1
        self._speed.samples += len(batch[-1]) * accelerator.num_processes
        if accelerator.sync_gradients:
            progress.updates += 1
            if self.schedule is not None:
                self.schedule.step_update(progress.updates)
            if trained.ema is not None:
                trained.ema.update(accelerator.unwrap_model(trained.model), progress.updates)

    def _looks(self) -> bool:
        """Return whether the loss of this batch is read back from the device."""
        on_cpu = self.trained.accelerator.device.type == "cpu"
        return on_cpu or self.trained.progress.updates % LOOK_EVERY == 0

    def _check_loss(self, loss: Tensor, batch: Batch, show: Callable[..., None]) -> None:
        value, progress = loss.item(), self.trained.progress
        if not loss.isfinite():
            self._diverged(batch, f"the loss is {value}")
        speed = f"{self._speed.per_second():.0f}"
        show(completed=progress.updates, epoch=progress.epoch + 1, loss=f"{value:.3f}", speed=speed)
        if self.trained.accelerator.is_main_process and progress.updates % LOOK_EVERY == 0:
            self.log(progress.updates, {"train/loss": value})

    def _evaluate(self) -> None:
        """Measure, report, and save the weights."""
        progress, accelerator = self.trained.progress, self.trained.accelerator
        speed, losses = self._speed.per_second(), max(1, progress.loss_count)
        loss = self._mean_over_processes(self._loss_sum.item()) / losses
        if loss != loss or loss in (float("inf"), float("-inf")):
            raise self._divergence(f"the loss became {loss}", "Lower optimizer.lr, or set optimizer.clip_grad.")
        numbers = self.task.numbers(self.measured(self.deciding_split))
        # What decides comes first, so that a run's metrics tell it before the end.
        numbers = {self.task.decides: numbers[self.task.decides], **numbers}
        rates = {bool(group.get("physical")): group["lr"] for group in self.trained.optimizer.param_groups}
        found = Measurement(
            epoch=self.budget.epochs(progress.updates),
            updates=progress.updates,
            samples=self.budget.samples(progress.epoch, progress.batch),
            loss=loss,
            split=self.deciding_split,
            metrics=numbers,
            learning_rate=float(rates[False]),
            physics_learning_rate=float(rates[True]) if True in rates else None,
            courant_margin=self._courant_margin(),
            samples_per_second=speed,
            seconds=self.seconds(),
        )
        progress.metrics.append(found)
        decides = numbers[self.task.decides]
        if improved := is_better(self.task, decides, progress.best):
            progress.best, progress.best_updates = decides, progress.updates
        weights = self._weights()
        if accelerator.is_main_process:
            self._report(found)
            self.folder.save_weights(weights, "last")
            if improved or progress.best is None:
                self.folder.save_weights(weights, "best")
            self.folder.write_metrics(progress.metrics)
        self.trained.model.train()
        self._speed = Speed()

    def _report(self, found: Measurement) -> None:
        name = self.task.decides
        self.console.print(
            f"epoch {found.epoch:g}/{self.budget.epochs(self.budget.updates):g}  loss {found.loss:.3f}  {found.split} "
            f"{name} {shown(self.task, name, found.metrics[name])}  {found.samples_per_second:.0f} samples/s"
        )
        values = {"loss": found.loss, **{f"{found.split}/{each}": value for each, value in found.metrics.items()}}
        for each in ("learning_rate", "physics_learning_rate", "courant_margin", "samples_per_second"):
            values[each] = getattr(found, each)
        self.log(found.updates, {each: value for each, value in values.items() if value is not None})

    def _out_of_patience(self) -> bool:
        patience, progress = self.recipe.evaluation.patience, self.trained.progress
        without = sum(each.updates > progress.best_updates for each in progress.metrics)
        return patience is not None and without >= patience

    def _courant_margin(self) -> float | None:
        accelerator = self.trained.accelerator
        if not accelerator.is_main_process or self.recipe.fsdp:
            return None
        dataset: Any = self.loaders[self.deciding_split].dataset
        *inputs, _ = dataset.__getitems__([(index, 0) for index in range(min(MARGIN_SAMPLES, len(dataset)))])
        return courant_margin(self.trained.bare_model(), [each.to(accelerator.device) for each in inputs])

    def _weights(self) -> dict[str, Tensor]:
        if self.trained.ema is not None:
            return self.trained.ema.module.state_dict()
        if self.recipe.fsdp:
            return self.trained.accelerator.get_state_dict(self.trained.model)
        return self.trained.bare_model().state_dict()

    def _mean_over_processes(self, value: float) -> float:
        accelerator = self.trained.accelerator
        if accelerator.num_processes == 1:
            return value
        tensor = torch.tensor(value, dtype=torch.float64, device=accelerator.device)
        return accelerator.reduce(tensor, "mean").item()

    def _stop_if_told(self) -> None:
        if self.interruption.signal is not None and self.trained.accelerator.num_processes == 1:
            raise self.stopped(self.interruption.signal, "Everything is saved")

    def _forget_losses(self) -> None:
        self._loss_sum.zero_()
        self.trained.progress.loss_count = 0

    def _time_to_save(self) -> bool:
        return time.perf_counter() - self._last_save > 60 * self.recipe.save_every_minutes

    def _agreed(self, *flags: bool) -> tuple[bool, ...]:
        """Return which flags some process has raised; all processes get the same answer."""
        accelerator = self.trained.accelerator
        if accelerator.num_processes == 1:
            return flags
        if not self._looks():
            return (False,) * len(flags)
        raised: Tensor = accelerator.reduce(torch.tensor(flags, dtype=torch.float, device=accelerator.device), "sum")
        return tuple(raised.gt(0).tolist())

    def stopped(self, signal_number: int, kept: str) -> InterruptedTraining:
        """Return what tells that a signal has ended the training, and what was kept of it."""
        progress = self.trained.progress
        name = "Ctrl-C" if signal_number == signal.SIGINT else "SIGTERM"
        return InterruptedTraining(
            f"stopped by {name} after {progress.updates} updates of {self.budget.updates}. {kept}; go on with: wavezoo "
            f"train --resume {self.folder.path}",
            128 + signal_number,
        )

    def _diverged(self, batch: Sequence[Tensor], what: str) -> None:
        *inputs, _ = batch
        raise self._divergence(what, explain_divergence(self.trained.bare_model(averaged=False), inputs))

    def _divergence(self, what: str, explanation: str) -> WavezooError:
        return WavezooError(f"Training stopped at step {self.trained.progress.updates + 1}: {what}. {explanation}")
