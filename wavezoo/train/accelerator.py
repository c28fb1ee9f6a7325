"""Devices, processes and precision, by accelerate, without a trace of them outside a training."""

import os
import random
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator, FullyShardedDataParallelPlugin
from accelerate.state import AcceleratorState, GradientState, PartialState
from accelerate.utils import DistributedType, GradientAccumulationPlugin
from torch import nn

from wavezoo.config.recipe import Recipe
from wavezoo.devices import find_device
from wavezoo.errors import WavezooError

MIXED_PRECISION = {"fp32": "no", "bf16": "bf16", "fp16": "fp16"}
# Settings of accelerate's own launcher; a recipe says all of it.
ENVIRONMENT = ("ACCELERATE_", "FSDP_")


@contextmanager
def isolated() -> Iterator[None]:
    """Leave generators, environment, the current GPU and a caller's own `Accelerator` as they were before."""
    environment = dict(os.environ)
    gpus = list(range(torch.cuda.device_count())) if torch.cuda.is_initialized() else []
    current = torch.cuda.current_device() if gpus else None
    states = random.getstate(), np.random.get_state()
    # Accelerate keeps the settings of a process's first accelerator for all later ones, in these dictionaries.
    kept: list[tuple[Any, Any]] = [
        (kind, kind._shared_state) for kind in (PartialState, AcceleratorState, GradientState)
    ]
    for kind, _ in kept:
        kind._shared_state = {}
    try:
        with torch.random.fork_rng(gpus):
            yield
    finally:
        for kind, shared in kept:
            kind._shared_state = shared
        _restore(environment)
        random.setstate(states[0])
        np.random.set_state(states[1])
        if current is not None:
            torch.cuda.set_device(current)


def seed_everything(seed: int) -> None:
    """Seed all generators that a model, a task or an augmentation may draw from."""
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)


def check_accelerator(recipe: Recipe, device: str) -> None:
    """Check what can be checked of devices and processes before anything is set up.

    Raises:
        WavezooError: if there is no such device, or if it cannot do what the recipe asks for.
    """
    on_cpu = find_device(device).type == "cpu"
    if recipe.precision == "fp16" and on_cpu:
        raise WavezooError("precision fp16 needs a GPU. On a CPU, use fp32 or bf16.")
    if recipe.fsdp and recipe.ema is not None:
        raise WavezooError("ema keeps a second whole model, which fsdp is there to avoid. Drop one of the two.")
    if recipe.fsdp and (on_cpu or _processes() == 1):
        raise WavezooError(
            "fsdp shards a model over several GPUs, each with a process: start `torchrun --nproc-per-node N -m wavezoo "
            "train RECIPE` where there are some, or drop fsdp."
        )


def build_accelerator(recipe: Recipe, model: nn.Module, device: str) -> Accelerator:
    """Set up devices, processes and precision, inside `isolated`.

    Args:
        recipe: gives the precision, and whether to shard the model.
        model: what is trained.
        device: ``"auto"`` for the best there is, or ``"cpu"``, ``"cuda"``, ``"cuda:1"``, ``"mps"``.

    Raises:
        WavezooError: if there is no such device, if it cannot do what the recipe asks for, or if the processes that
            were started do not find each other.
    """
    check_accelerator(recipe, device)
    if ":" in device:
        torch.cuda.set_device(device)
    try:
        with _without_environment():
            accelerator = Accelerator(
                cpu=find_device(device).type == "cpu",
                mixed_precision=MIXED_PRECISION[recipe.precision],
                gradient_accumulation_plugin=GradientAccumulationPlugin(num_steps=recipe.optimizer.accumulate),
                dynamo_backend="no",
                fsdp_plugin=_sharding(model) if recipe.fsdp else None,
            )
    # What a launcher's environment lacks shows when the processes are to meet.
    except (ValueError, RuntimeError, OSError) as error:
        raise WavezooError(f"{_processes()} processes cannot work together here: {error}.") from error
    if accelerator.num_processes != _processes():
        raise WavezooError(
            f"{_processes()} processes were started and {accelerator.num_processes} of them work together; each would "
            "train a model of its own into one folder. Name the device that all can use, such as --device cpu, or "
            "start one process."
        )
    if recipe.fsdp and accelerator.distributed_type != DistributedType.FSDP:
        raise WavezooError("fsdp needs several GPUs, each with a process. Drop fsdp.")
    return accelerator


def _processes() -> int:
    """Return how many processes a launcher such as torchrun has started."""
    return int(os.environ.get("WORLD_SIZE", "1")) if "RANK" in os.environ else 1


@contextmanager
def _without_environment() -> Iterator[None]:
    hidden = {name: value for name, value in os.environ.items() if name.startswith(ENVIRONMENT)}
    for name in hidden:
        del os.environ[name]
    try:
        yield
    finally:
        os.environ.update(hidden)


def _restore(environment: Mapping[str, str]) -> None:
    for name in set(os.environ) - set(environment):
        del os.environ[name]
    os.environ.update({name: value for name, value in environment.items() if os.environ.get(name) != value})


def _sharding(model: nn.Module) -> FullyShardedDataParallelPlugin:
    return FullyShardedDataParallelPlugin(
        fsdp_version=2, auto_wrap_policy="transformer_based_wrap", transformer_cls_names_to_wrap=repeated_blocks(model)
    )


def repeated_blocks(model: nn.Module) -> list[str]:
    """Return the names of the classes of which a model has several in a row, the innermost ones."""
    rows = [module for module in model.modules() if isinstance(module, (nn.Sequential, nn.ModuleList))]
    counts = Counter((index, type(child)) for index, row in enumerate(rows) for child in row)
    several = {kind for (_, kind), count in counts.items() if count > 1}
    repeated = tuple(kind for kind in several if not kind.__module__.startswith("torch."))
    outer = {
        type(module)
        for module in model.modules()
        if isinstance(module, repeated)
        for inner in module.modules()
        if inner is not module and isinstance(inner, repeated)
    }
    return sorted(kind.__name__ for kind in repeated if kind not in outer)
