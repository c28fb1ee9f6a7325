"""From names to objects: the model, data, optimiser and schedule that a recipe describes."""

from typing import Any, cast

import torch
from accelerate import Accelerator, FullyShardedDataParallelPlugin
from accelerate.state import AcceleratorState
from accelerate.utils import DistributedType
from timm.data.mixup import Mixup
from timm.optim import create_optimizer_v2, list_optimizers
from timm.scheduler import create_scheduler_v2
from timm.scheduler.scheduler import Scheduler

from wavezoo.config.recipe import AugmentationSection, DataSection, Recipe
from wavezoo.data import DataSource, Facts, ImageFacts, SequenceFacts
from wavezoo.devices import find_device
from wavezoo.errors import WavezooError, not_allowed
from wavezoo.models.image import WavePDE
from wavezoo.models.registry import check_model_options, create_model, find_model, names_of_kind
from wavezoo.models.sequence import WavePDESequence
from wavezoo.plugins.registry import registry
from wavezoo.train.loaders import sequence_facts

MIXED_PRECISION = {"fp32": "no", "bf16": "bf16", "fp16": "fp16"}

Model = WavePDE | WavePDESequence


def for_sequences(recipe: Recipe) -> bool:
    """Return whether the recipe's model is for sequences.

    Raises:
        WavezooError: if there is no such model.
    """
    return find_model(recipe.model.name).kind == "sequence"


def build_model(recipe: Recipe, facts: Facts) -> Model:
    """Build the model of ``recipe`` for data with these facts, with fresh weights.

    Raises:
        WavezooError: if the model, a scheme or an option is unknown or cannot work, or if the data do not fit it.
    """
    registry.require(recipe.plugins)
    if recipe.task is not None and recipe.task.name != "classification":
        raise not_allowed("task", recipe.task.name, ["classification"])
    reserved: dict[str, Any] = {"num_classes": len(facts.classes)}
    model_class: type[Model]
    if for_sequences(recipe):
        model_class = WavePDESequence
        sequences = sequence_facts(facts)
        reserved |= {"in_features": sequences.features, "vocab_size": sequences.vocabulary}
    elif isinstance(facts, ImageFacts):
        model_class = WavePDE
        reserved |= {"in_chans": facts.channels, "img_size": facts.size}
    else:
        raise WavezooError(
            f"{recipe.model.name} is a model for images, and {recipe.data.name} is a set of sequences. Use one of "
            f"{', '.join(names_of_kind('sequence'))}."
        )
    options = check_model_options(recipe.model.name, recipe.model.options, [*reserved, "device", "dtype"])
    settings = {**reserved, **options}
    if model_class is WavePDESequence:
        several_lengths = isinstance(facts, SequenceFacts) and facts.vocabulary is not None
        if several_lengths and options.get("norm") == "batch":
            raise WavezooError(
                f"the sequences of {recipe.data.name} are of several lengths, on which batch norm cannot be trained. "
                "Set model.norm to layer."
            )
        return cast(WavePDESequence, create_model(recipe.model.name, **settings))
    return cast(WavePDE, create_model(recipe.model.name, **settings))


def build_accelerator(recipe: Recipe, device: str) -> Accelerator:
    """Set up devices, processes and precision.

    Args:
        recipe: gives the precision, and whether to shard the model.
        device: ``"auto"`` for the best there is, or ``"cpu"``, ``"cuda"``, ``"cuda:1"``, ``"mps"``.

    Raises:
        WavezooError: if there is no such device, or if it cannot do what the recipe asks for.
    """
    on_cpu = find_device(device).type == "cpu"
    if recipe.precision == "fp16" and on_cpu:
        raise WavezooError("precision fp16 needs a GPU. On a CPU, use fp32 or bf16.")
    if recipe.fsdp and recipe.ema is not None:
        raise WavezooError("ema keeps a second whole model, which fsdp is there to avoid. Drop one of the two.")
    if ":" in device:
        torch.cuda.set_device(device)
    # Accelerate keeps the settings of the first run in a process for all later ones.
    AcceleratorState._reset_state(reset_partial_state=True)
    sharding = FullyShardedDataParallelPlugin(
        fsdp_version=2, auto_wrap_policy="transformer_based_wrap", transformer_cls_names_to_wrap=["Block"]
    )
    accelerator = Accelerator(
        cpu=device == "cpu",
        mixed_precision=MIXED_PRECISION[recipe.precision],
        gradient_accumulation_steps=recipe.optimizer.accumulate,
        fsdp_plugin=sharding if recipe.fsdp else None,
    )
    if recipe.fsdp and accelerator.distributed_type != DistributedType.FSDP:
        raise WavezooError(
            "fsdp shards a model over several GPUs, each with a process: start `torchrun --nproc-per-node N -m wavezoo "
            "train RECIPE` where there are some, or drop fsdp."
        )
    return accelerator


def build_mixup(augmentation: AugmentationSection, classes: int) -> Mixup | None:
    """Return timm's mixup and cutmix, or None if the recipe asks for neither."""
    if not (augmentation.mixup or augmentation.cutmix):
        return None
    return Mixup(
        mixup_alpha=augmentation.mixup,
        cutmix_alpha=augmentation.cutmix,
        label_smoothing=augmentation.label_smoothing,
        num_classes=classes,
    )


def build_optimizer(recipe: Recipe, model: Model) -> torch.optim.Optimizer:
    """Return one of timm's optimisers; physical parameters form a group of their own.

    These, norms and biases have no weight decay.

    Raises:
        WavezooError: if timm has no such optimiser.
    """
    settings = recipe.optimizer
    if settings.name not in list_optimizers():
        raise not_allowed("optimizer.name", settings.name, list_optimizers())
    physical = model.no_weight_decay()
    named = dict(model.named_parameters())
    rest = {name: value for name, value in named.items() if name not in physical}
    decayed = [value for value in rest.values() if value.ndim > 1]
    groups: list[dict[str, Any]] = [
        {"params": decayed, "weight_decay": settings.weight_decay},
        {"params": [value for value in rest.values() if value.ndim <= 1], "weight_decay": 0.0},
        {
            "params": [value for name, value in named.items() if name in physical],
            "weight_decay": 0.0,
            "lr": settings.physics_lr or settings.lr,
            "physical": True,
            # Muon is for linear maps: it takes the steps of AdamW here.
            "use_fallback": True,
        },
    ]
    return create_optimizer_v2([group for group in groups if group["params"]], opt=settings.name, lr=settings.lr)


def build_schedule(recipe: Recipe, optimizer: torch.optim.Optimizer, updates_per_epoch: int) -> Scheduler | None:
    """Return one of timm's schedules, in units of updates, or None for a constant learning rate."""
    settings = recipe.schedule
    if settings.name == "constant" and not settings.warmup_epochs:
        return None
    schedule, _ = create_scheduler_v2(
        optimizer,
        # With no decay left to do, timm's polynomial stays at the base rate.
        sched="poly" if settings.name == "constant" else settings.name,
        num_epochs=recipe.epochs,
        min_lr=recipe.optimizer.lr if settings.name == "constant" else settings.min_lr,
        warmup_epochs=settings.warmup_epochs,  # type: ignore[arg-type]
        warmup_lr=0.0,
        warmup_prefix=False,
        step_on_epochs=False,
        updates_per_epoch=updates_per_epoch,
    )
    return schedule


def data_source(data: DataSection) -> DataSource:
    """Return where a recipe's data are found."""
    return DataSource(
        data.path, data.limit_samples, data.partial, data.validation, data.seed, data.columns, data.options
    )
