"""What a run needs to go on as if it had never stopped, in files of which the newest good one counts."""

import zipfile
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Annotated, Any

import torch
from accelerate import Accelerator
from accelerate.utils import DistributedType
from pydantic import Field, TypeAdapter, ValidationError
from timm.utils import ModelEmaV3
from torch import Tensor, nn
from torch.distributed.checkpoint.state_dict import StateDictOptions, get_state_dict, set_state_dict

from wavezoo.errors import WavezooError
from wavezoo.runs.folder import RunFolder
from wavezoo.runs.records import Measurement, check_format

KEPT = 2
PATTERN = "checkpoint-*.pt"
FORMAT = 1
# Moments that optimisers keep, one value for each of a parameter.
MOMENTS = ("exp_avg", "exp_avg_sq", "momentum_buffer")
Count = Annotated[int, Field(ge=0)]


@dataclass
class Progress:
    """How far a training has come.

    Attributes:
        updates: optimiser steps taken.
        epoch: epochs completed.
        batch: batches of the next epoch that are done.
        loss_sum: sum of the losses of the last of those, since the epoch began or the last evaluation in it.
        loss_count: how many those are.
        best: the deciding number of the best evaluation so far, None before the first.
        best_updates: updates before that.
        seconds: time spent.
        metrics: what each evaluation found.
    """

    updates: Count = 0
    epoch: Count = 0
    batch: Count = 0
    loss_sum: Annotated[float, Field(allow_inf_nan=False)] = 0.0
    loss_count: Count = 0
    best: float | None = None
    best_updates: Count = 0
    seconds: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.0
    metrics: list[Measurement] = field(default_factory=list)


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

    def load(self, state: Mapping[str, Any]) -> None:
        """Become what `state` returned.

        Raises:
            Exception: if it is nothing of the kind; some of it may have been taken over then.
        """
        progress: Progress = TypeAdapter(Progress).validate_python(state["progress"])
        bare = self.accelerator.unwrap_model(self.model)
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
            bare.load_state_dict(state["model"])
            self.optimizer.load_state_dict(state["optimizer"])
            self._check_moments()
        if self.ema is not None:
            self.ema.module.load_state_dict(state["ema"])
        if self.accelerator.scaler is not None:
            self.accelerator.scaler.load_state_dict(state["scaler"])
        vars(self.progress).update(vars(progress))

    def bare_model(self, averaged: bool = True) -> nn.Module:
        """Return the model without what wraps it, with the moving average of its weights if there is one."""
        if averaged and self.ema is not None:
            return self.ema.module
        return self.accelerator.unwrap_model(self.model, keep_torch_compile=False)

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

    def _check_moments(self) -> None:
        # Torch takes over whatever shape it is given, and fails in the next step.
        for group in self.optimizer.param_groups:
            if not isinstance(group["lr"], (float, Tensor)):
                raise ValueError(f"the learning rate is {group['lr']!r}")
            for parameter in group["params"]:
                kept = self.optimizer.state.get(parameter, {})
                for name in MOMENTS:
                    if name in kept and getattr(kept[name], "shape", None) != parameter.shape:
                        raise ValueError(f"{name} does not fit its parameter")


def save_checkpoint(folder: RunFolder, recipe: str, state: dict[str, Any]) -> None:
    """Write a checkpoint and drop all but the newest two.

    Raises:
        WavezooError: if there is no room or no right to write; older checkpoints are still there then.
    """
    with folder.writing(f"checkpoint-{state['progress']['updates']:09d}.pt") as beside:
        torch.save({"format": FORMAT, "recipe": recipe, **state}, beside)
    for old in sorted(folder.path.glob(PATTERN))[:-KEPT]:
        old.unlink(missing_ok=True)


def load_checkpoint(folder: Path, use: Callable[[dict[str, Any]], None]) -> tuple[dict[str, Any] | None, list[str]]:
    """Return the newest good checkpoint, None if there never was one, and what is wrong with newer ones.

    Args:
        folder: where they are.
        use: takes a checkpoint over; raises if it cannot be used, so that the next one is tried. A WavezooError is
            not the checkpoint's fault, and passed on.

    Raises:
        WavezooError: if there are checkpoints and none can be used.
    """
    complaints: list[str] = []
    files = sorted(folder.glob(PATTERN), reverse=True)
    for file in files:
        try:
            with zipfile.ZipFile(file) as archive:
                if (broken := archive.testzip()) is not None:
                    raise zipfile.BadZipFile(f"{broken} is damaged")
            state = torch.load(file, map_location="cpu", weights_only=True)
            _check(state, file)
        # What a damaged file makes torch raise is not to be foreseen.
        except Exception as error:
            complaints.append(f"{file} is damaged or cut short ({_reason(error)})")
            continue
        try:
            use(state)
        except WavezooError:
            raise
        except Exception as error:
            complaints.append(f"{file} is damaged or cut short ({_reason(error)})")
            continue
        return state, complaints
    if files:
        raise WavezooError(
            f"{'; '.join(complaints)}. No older checkpoint is left: train anew into another folder. The weights in "
            f"{folder} are still there."
        )
    return None, complaints


def _check(state: Any, file: Path) -> None:
    check_format(state, file)
    kinds = {"recipe": str, "model": dict, "optimizer": dict, "progress": dict}
    for name, kind in kinds.items():
        if not isinstance(state.get(name), kind):
            raise ValueError(f"it holds no {name}")
    for name in ("ema", "scaler"):
        if not isinstance(state.get(name, 0), (dict, type(None))):
            raise ValueError(f"it holds no {name}")
    if set(state["optimizer"]) < {"state", "param_groups"}:
        raise ValueError("it holds no state of the optimiser")


def _reason(error: Exception) -> str:
    if isinstance(error, ValidationError):
        first = error.errors()[0]
        return f"{'.'.join(str(key) for key in first['loc'])}: {first['msg']}"
    return str(error).splitlines()[0] if str(error) else type(error).__name__
