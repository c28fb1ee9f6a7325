"""From names to objects: the model, data, optimiser and schedule that a recipe describes."""

import inspect
from functools import partial
from typing import Any, cast

import timm
import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState
from PIL import Image
from timm.data.auto_augment import rand_augment_transform
from timm.data.mixup import Mixup
from timm.data.random_erasing import RandomErasing
from timm.optim import create_optimizer_v2, list_optimizers
from timm.scheduler import create_scheduler_v2
from timm.scheduler.scheduler import Scheduler
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms

from wavezoo.build import OPERATOR_CHOICES, check_options
from wavezoo.data import ImageDataset, ImageSplit
from wavezoo.devices import find_device
from wavezoo.errors import WavezooError, not_allowed
from wavezoo.models.wavepde import WavePDE
from wavezoo.plugins import registry
from wavezoo.recipe import AugmentationSection, DataSection, Recipe

MIXED_PRECISION = {"float32": "no", "bfloat16": "bf16", "float16": "fp16"}


class TransformedImages(Dataset[tuple[Tensor, int]]):
    """A split whose images pass through ``transform`` one by one."""

    def __init__(self, split: ImageSplit, transform: Any) -> None:
        self.split = split
        self.transform = transform

    def __len__(self) -> int:
        return len(self.split.labels)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        pixels = self.split.images[index]
        image = Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels)
        return self.transform(image), int(self.split.labels[index])


def build_model(recipe: Recipe, dataset: ImageDataset) -> WavePDE:
    """Build the model of ``recipe`` for the images of ``dataset``, with fresh weights.

    Raises:
        WavezooError: if the model, a scheme or an option is unknown or cannot work.
    """
    registry.require(recipe.plugins)
    name = recipe.model.name
    models = timm.list_models("wavepde*")
    if name not in models:
        raise not_allowed("model", name, models, "`wavezoo list models` lists them.")
    reserved: dict[str, Any] = {
        "num_classes": len(dataset.classes),
        "in_chans": dataset.channels,
        "img_size": dataset.size,
    }
    schemes = {axis: spec for axis, spec in recipe.model.schemes.model_dump().items() if spec is not None}
    if recipe.model.mixer is not None:
        schemes["mixer"] = recipe.model.mixer
    for option in recipe.model.options:
        if option in reserved:
            raise WavezooError(f"model.options.{option} follows from the data set {dataset.name!r}. Leave it out.")
        if option in schemes:
            raise WavezooError(
                f"{option} is given in model.options and elsewhere in model. Leave it out of the options."
            )
    parameters = inspect.signature(WavePDE).parameters.values()
    own = {each.name for each in parameters if each.kind is not each.VAR_KEYWORD} - {*reserved, "device", "dtype"}
    # Those of the wave operator are checked where it is built.
    given = {option: value for option, value in recipe.model.options.items() if option not in OPERATOR_CHOICES}
    check_options("model.options:", given, WavePDE, sorted(own) + list(OPERATOR_CHOICES))
    return cast(WavePDE, timm.create_model(name, **reserved, **recipe.model.options, **schemes))


def build_accelerator(recipe: Recipe, device: str) -> Accelerator:
    """Set up devices and precision.

    Args:
        recipe: gives the precision.
        device: ``"auto"`` for the best there is, or ``"cpu"``, ``"cuda"``, ``"cuda:1"``, ``"mps"``.

    Raises:
        WavezooError: if there is no such device, or if it cannot compute in the precision.
    """
    on_cpu = find_device(device).type == "cpu"
    if recipe.precision == "float16" and on_cpu:
        raise WavezooError("precision float16 needs a GPU. On a CPU, use float32 or bfloat16.")
    if ":" in device:
        torch.cuda.set_device(device)
    # Accelerate keeps the settings of the first run in a process for all later ones.
    AcceleratorState._reset_state(reset_partial_state=True)
    return Accelerator(cpu=device == "cpu", mixed_precision=MIXED_PRECISION[recipe.precision])


def build_loaders(
    recipe: Recipe, dataset: ImageDataset, train: ImageSplit | None, test: ImageSplit, resolution: float = 1.0
) -> tuple[DataLoader[Any] | None, DataLoader[Any]]:
    """Return loaders of batches of images ``(B, C, H, W)`` and labels ``(B,)``, for training if asked for, and test.

    Test images are enlarged by ``resolution``.

    Raises:
        WavezooError: if a batch is larger than the training data.
    """
    to_tensor = [transforms.ToTensor(), transforms.Normalize(dataset.mean, dataset.std)]
    loader = partial(
        DataLoader,
        batch_size=recipe.batch_size,
        num_workers=recipe.data.workers,
        persistent_workers=recipe.data.workers > 0,
    )
    size = round(dataset.size * resolution)
    resize = [] if resolution == 1 else [transforms.Resize(size, transforms.InterpolationMode.BICUBIC)]
    test_loader = loader(TransformedImages(test, transforms.Compose([*resize, *to_tensor])))
    if train is None:
        return None, test_loader
    if recipe.batch_size > len(train.labels):
        raise WavezooError(
            f"batch_size is {recipe.batch_size}, more than the {len(train.labels)} training images. "
            "Lower it, or raise data.limit_samples."
        )
    transform = transforms.Compose(_augmentations(recipe.augmentation, dataset, to_tensor))
    generator = torch.Generator().manual_seed(recipe.seed)
    images = TransformedImages(train, transform)
    train_loader = loader(images, shuffle=True, drop_last=True, generator=generator)
    return train_loader, test_loader


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


def build_optimizer(recipe: Recipe, model: nn.Module) -> torch.optim.Optimizer:
    """Return one of timm's optimisers; what the model says, norms and biases have no weight decay.

    Raises:
        WavezooError: if timm has no such optimiser.
    """
    settings = recipe.optimizer
    if settings.name not in list_optimizers():
        raise not_allowed("optimizer.name", settings.name, list_optimizers())
    return create_optimizer_v2(model, opt=settings.name, lr=settings.lr, weight_decay=settings.weight_decay)


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


def load_data(dataset: ImageDataset, data: DataSection) -> tuple[ImageSplit, ImageSplit]:
    """Read the training and the test split, and check their images against the data set's facts.

    Raises:
        WavezooError: if the data cannot be read or is not what its name says.
    """
    loaded = dataset.load(data.path, data.limit_samples)
    shape = (dataset.size, dataset.size, dataset.channels)
    for name, split in (("train", loaded.train), ("test", loaded.test)):
        if not len(split.labels):
            raise WavezooError(f"the {name} split of {dataset.name} has no images.")
        if split.images.shape[1:] != shape:
            raise WavezooError(
                f"{dataset.name} images are {shape}, those of the {name} split {split.images.shape[1:]}."
            )
        if not 0 <= split.labels.min() <= split.labels.max() < len(dataset.classes):
            raise WavezooError(
                f"{dataset.name} has {len(dataset.classes)} classes; the {name} split has labels "
                f"{split.labels.min()} to {split.labels.max()}."
            )
    return loaded.train, loaded.test


def _augmentations(settings: AugmentationSection, dataset: ImageDataset, to_tensor: list[Any]) -> list[Any]:
    pipeline: list[Any] = []
    if settings.crop_padding:
        pipeline.append(transforms.RandomCrop(dataset.size, padding=settings.crop_padding))
    if settings.horizontal_flip:
        pipeline.append(transforms.RandomHorizontalFlip(settings.horizontal_flip))
    if settings.rand_augment is not None:
        fill = tuple(int(255 * value) for value in dataset.mean)
        try:
            pipeline.append(
                rand_augment_transform(settings.rand_augment, {"img_mean": fill if len(fill) > 1 else fill[0]})
            )
        except (AssertionError, ValueError, KeyError) as error:
            raise WavezooError(
                f"augmentation.rand_augment is {settings.rand_augment!r}, which timm does not understand. "
                "Give a policy such as rand-m9-mstd0.5."
            ) from error
    pipeline += to_tensor
    if settings.random_erasing:
        pipeline.append(RandomErasing(settings.random_erasing, mode="pixel", device="cpu"))
    return pipeline
