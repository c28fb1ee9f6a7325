"""What a run needs to go on as if it had never stopped, in files of which the newest readable one counts."""

import zipfile
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from accelerate.utils import DistributedType
from timm.utils import ModelEmaV3
from torch import nn
from torch.distributed.checkpoint.state_dict import StateDictOptions, get_state_dict, set_state_dict

from wavezoo.errors import WavezooError
from wavezoo.files import writing

KEPT = 2
PATTERN = "checkpoint-*.pt"


@dataclass
class Progress:
    """How far a training has come.

    Attributes:
        updates: optimiser steps taken.
        epoch: epochs completed.
        batch: batches of the next epoch that are done.
        loss_sum: sum of the losses of those.
        best: best accuracy of an evaluation so far.
        best_epoch: the epoch after which that was, counted from 1.
        seconds: time spent.
        metrics: what was measured after each evaluation.
    """

    updates: int = 0
    epoch: int = 0
    batch: int = 0
    loss_sum: float = 0.0
    best: float = -1.0
    best_epoch: int = 0
    seconds: float = 0.0
    metrics: list[dict[str, Any]] = field(default_factory=list)


@dataclass
class Trained:
    """All that training changes."""

    accelerator: Accelerator
    model: nn.Module
    optimizer: torch.optim.Optimizer
    ema: ModelEmaV3 | None
    progress: Progress

    def state(self) -> dict[str, Any]:
        """Return it as tensors, numbers and text; to be called by all processes together."""
        scaler = self.accelerator.scaler
        return {
            **self._weights(),
            "ema": None if self.ema is None else self.ema.module.state_dict(),
            "scaler": None if scaler is None else scaler.state_dict(),
            "progress": asdict(self.progress),
        }

    def load(self, state: dict[str, Any]) -> None:
        """Become what `state` returned."""
        if self._sharded:
            options = StateDictOptions(full_state_dict=True)
            set_state_dict(
                self.model,
                self.optimizer,
                model_state_dict=state["model"],
                optim_state_dict=state["optimizer"],
                options=options,
            )
        else:
            self.accelerator.unwrap_model(self.model).load_state_dict(state["model"])
            self.optimizer.load_state_dict(state["optimizer"])
        if self.ema is not None:
            self.ema.module.load_state_dict(state["ema"])
        if self.accelerator.scaler is not None:
            self.accelerator.scaler.load_state_dict(state["scaler"])
        for name, value in state["progress"].items():
            setattr(self.progress, name, value)

    @property
    def _sharded(self) -> bool:
        return self.accelerator.distributed_type == DistributedType.FSDP

    def _weights(self) -> dict[str, Any]:
        if self._sharded:
            options = StateDictOptions(full_state_dict=True, cpu_offload=True)
            model, optimizer = get_state_dict(self.model, self.optimizer, options=options)
            return {"model": model, "optimizer": optimizer}
        model = self.accelerator.unwrap_model(self.model).state_dict()
        return {"model": model, "optimizer": self.optimizer.state_dict()}


def save_checkpoint(folder: Path, recipe: str, state: dict[str, Any]) -> None:
    """Write a checkpoint and drop all but the newest two.

    Raises:
        WavezooError: if there is no room or no right to write; older checkpoints are still there then.
    """
    with writing(folder / f"checkpoint-{state['progress']['updates']:09d}.pt") as beside:
        torch.save({"recipe": recipe, **state}, beside)
    for old in sorted(folder.glob(PATTERN))[:-KEPT]:
        old.unlink()


def load_checkpoint(folder: Path) -> tuple[dict[str, Any] | None, list[str]]:
    """Return the newest checkpoint that can be read, None if there never was one, and what is wrong with newer ones.

    Raises:
        WavezooError: if there are checkpoints and none can be read.
    """
    complaints: list[str] = []
    files = sorted(folder.glob(PATTERN), reverse=True)
    for file in files:
        try:
            with zipfile.ZipFile(file) as archive:
                if (broken := archive.testzip()) is not None:
                    raise zipfile.BadZipFile(f"{broken} is damaged")
            return torch.load(file, map_location="cpu", weights_only=True), complaints
        # What a damaged file makes torch raise is not to be foreseen.
        except Exception as error:
            reason = str(error).splitlines()[0] if str(error) else type(error).__name__
            complaints.append(f"{file} is damaged or cut short ({reason})")
    if files:
        raise WavezooError(
            f"{'; '.join(complaints)}. No older checkpoint is left: train anew into another folder. The weights in "
            f"{folder} are still there."
        )
    return None, complaints
