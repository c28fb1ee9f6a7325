"""What is done to training samples at random; timm's operations draw from generators that are seeded for each sample.

Shapes: B samples; images ``(B, C, H, W)``.
"""

import random
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from PIL import Image, ImageOps
from timm.data.auto_augment import rand_augment_transform
from timm.data.random_erasing import RandomErasing
from torch import Tensor
from torch.nn import functional as F

from wavezoo.config.recipe import AugmentationSection
from wavezoo.data import Facts, ImageFacts
from wavezoo.errors import WavezooError

RAND_AUGMENT_POLICY = re.compile(
    r"rand(-(m|n|mmax)\d{1,3}|-(mstd|p)\d{1,3}(\.\d{1,6})?|-inc[01]|-t(weights|3aw|3a))*", re.ASCII
)


def check_augmentation(settings: AugmentationSection, facts: Facts, sequences: bool) -> None:
    """Raise WavezooError if something is asked for that does not fit the samples."""
    default = AugmentationSection()
    for name in AugmentationSection.model_fields:
        if getattr(settings, name) == getattr(default, name) or name == "label_smoothing":
            continue
        if isinstance(facts, ImageFacts) == (name == "shift"):
            kind = "sequences" if name == "shift" else "images"
            raise WavezooError(f"augmentation.{name} is for {kind}, which these data are not. Leave it out.")
        if name in ("mixup", "cutmix") and sequences:
            raise WavezooError(f"augmentation.{name} is for image models. Leave it out.")
        if facts.target != "class" and name != "horizontal_flip":
            raise WavezooError(f"augmentation.{name} would change samples and not the targets of their cells. Drop it.")


def by_sample(settings: AugmentationSection | None, facts: ImageFacts) -> tuple[Any, RandomErasing | None]:
    """Return timm's RandAugment and random erasing, each None where it is off."""
    if settings is None:
        return None, None
    erase = RandomErasing(settings.random_erasing, mode="pixel", device="cpu") if settings.random_erasing else None
    if settings.rand_augment is None:
        return None, erase
    # Timm leaves what it does not understand out, or refuses it by an assert, which python -O leaves out.
    if not RAND_AUGMENT_POLICY.fullmatch(settings.rand_augment):
        raise WavezooError(
            f"augmentation.rand_augment is {settings.rand_augment!r}, which is no policy of timm's: rand, then any of "
            "-m (magnitude), -n (operations an image), -mstd, -mmax and -p with numbers, -inc1, -tweights. Give one "
            "such as rand-m9-mstd0.5."
        )
    fill = tuple(int(255 * value) for value in facts.mean)
    policy = rand_augment_transform(settings.rand_augment, {"img_mean": fill if len(fill) > 1 else fill[0]})
    for operation in policy.ops:
        if operation.name.startswith("Posterize"):
            operation.aug_fn = _posterized
    return policy, erase


def _posterized(image: Image.Image, bits: int, **options: Any) -> Image.Image:
    # Recent versions of Pillow refuse the zero bits that timm's asks for at its strongest.
    return ImageOps.posterize(image, min(max(bits, 1), 8))


def cropped(images: Tensor, padding: int, places: np.ndarray) -> Tensor:
    """Pad images with zeros and cut windows of the same size out, at ``places`` ``(B, 2)`` between 0 and 1."""
    if not padding:
        return images
    size = images.shape[-1]
    corners = (torch.from_numpy(places) * (2 * padding + 1)).long()
    rows, columns = (corners[:, axis, None] + torch.arange(size) for axis in (0, 1))
    padded = F.pad(images, (padding,) * 4)
    sample, channel = torch.arange(len(images)), torch.arange(images.shape[1])
    return padded[
        sample[:, None, None, None], channel[None, :, None, None], rows[:, None, :, None], columns[:, None, None, :]
    ]


def mirrored(values: Tensor, chosen: Tensor) -> Tensor:
    """Mirror the chosen samples, ``(B,)``, left to right."""
    return torch.where(chosen.view(-1, *[1] * (values.ndim - 1)), values.flip(-1), values)


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Seed what timm draws from, and leave it as it was found."""
    states = random.getstate(), np.random.get_state(), torch.random.get_rng_state()
    random.seed(seed)
    np.random.seed(seed)
    torch.random.default_generator.manual_seed(seed)
    try:
        yield
    finally:
        random.setstate(states[0])
        np.random.set_state(states[1])
        torch.random.set_rng_state(states[2])
