"""From splits to batches: what is drawn at random for a sample depends on the recipe's seed, the epoch and the sample.

So it is the same whatever the number of workers and processes, and after a resumption.

Shapes: B samples; images ``(B, C, H, W)``; sequences ``(B, N, F)`` or token ids ``(B, N)``, with a mask ``(B, N)``,
True at the elements, where lengths differ.
"""

from collections.abc import Iterator, Sequence
from typing import Any, cast

import numpy as np
import torch
from einops import rearrange
from PIL import Image
from torch import Tensor
from torch.nn import functional as F
from torch.utils.data import DataLoader, Dataset, Sampler
from torchvision.transforms import InterpolationMode
from torchvision.transforms import functional as TF

from wavezoo.config.recipe import AugmentationSection, Recipe
from wavezoo.data import Facts, ImageFacts, SequenceFacts, Split, TextFacts, TokenRuns, TokenStream
from wavezoo.errors import WavezooError
from wavezoo.train.augmentation import by_sample, check_augmentation, cropped, mirrored, seeded
from wavezoo.train.interruption import leave_ctrl_c_to_the_main_process

# The index of a sample and the seed of what is drawn at random for it.
Key = tuple[int, int]
Batch = tuple[Tensor, ...]


class EpochSampler(Sampler[Key]):
    """The samples of an epoch in a random order, each with a seed of its own.

    Args:
        count: number of samples.
        seed: with the epoch, decides on both.
    """

    def __init__(self, count: int, seed: int) -> None:
        self.count = count
        self.seed = seed
        self.epoch = 0
        self.first = 0

    def start(self, epoch: int, first: int = 0) -> None:
        """Say which epoch comes next, and how many of its samples to leave out at the beginning."""
        self.epoch = epoch
        self.first = first

    def __len__(self) -> int:
        return self.count - self.first

    def __iter__(self) -> Iterator[Key]:
        rng = np.random.default_rng([self.seed, self.epoch])
        order, seeds = rng.permutation(self.count), rng.integers(2**32, size=self.count)
        return iter(list(zip(order.tolist(), seeds.tolist(), strict=True))[self.first :])


class InOrder(Sampler[Key]):
    """All samples in their order."""

    def __init__(self, count: int) -> None:
        self.count = count

    def __len__(self) -> int:
        return self.count

    def __iter__(self) -> Iterator[Key]:
        return iter((index, 0) for index in range(self.count))


class Batches(Dataset[Any]):
    """A split that is read a batch at a time."""

    def __init__(self, split: Split) -> None:
        self.split = split

    def __len__(self) -> int:
        return len(self.split)

    def __getitem__(self, key: Key) -> Batch:
        return tuple(each[0] for each in self.__getitems__([key]))

    def __getitems__(self, keys: Sequence[Key]) -> Batch:
        """Return the inputs and the targets of a batch."""
        raise NotImplementedError

    def targets(self, indices: Sequence[int]) -> Tensor:
        """Return classes as int64, values of fields as they are."""
        targets = torch.from_numpy(self.split.targets[list(indices)])
        return targets if targets.is_floating_point() else targets.long()


class ImageBatches(Batches):
    """Images, augmented and normalised.

    Args:
        split: the images, ``(M, H, W, C)``, uint8 or float32.
        facts: gives size, mean and standard deviation.
        augmentation: what is done to them at random; None for nothing.
        size: side to which images are brought.
    """

    def __init__(
        self, split: Split, facts: ImageFacts, augmentation: AugmentationSection | None, size: int | None = None
    ) -> None:
        super().__init__(split)
        # The array itself: a copy with channels first would double what a set of images takes.
        self.images = rearrange(torch.from_numpy(cast(np.ndarray, split.inputs)), "m h w c -> m c h w")
        scale = 1 if self.images.is_floating_point() else 255
        self.mean = torch.tensor(facts.mean).view(-1, 1, 1) * scale
        self.std = torch.tensor(facts.std).view(-1, 1, 1) * scale
        self.target = facts.target
        self.size = facts.size if size is None else size
        self.augmentation = augmentation
        self.rand_augment, self.erase = by_sample(augmentation, facts)

    def __getitems__(self, keys: Sequence[Key]) -> Batch:
        indices = [index for index, _ in keys]
        images, targets = self.images[indices].contiguous(), self.targets(indices)
        if self.augmentation is not None:
            drawn = np.stack([np.random.default_rng(seed).random(3) for _, seed in keys])
            images = cropped(images, self.augmentation.crop_padding, drawn[:, :2])
            flipped = torch.from_numpy(drawn[:, 2] < self.augmentation.horizontal_flip)
            images = mirrored(images, flipped)
            if self.target != "class":
                targets = mirrored(targets, flipped)
        if self.rand_augment is not None:
            images = torch.stack(
                [self._rand_augmented(image, seed) for image, (_, seed) in zip(images, keys, strict=True)]
            )
        if self.size != images.shape[-1]:
            images = TF.resize(images, [self.size, self.size], InterpolationMode.BICUBIC)
            targets = self._resized(targets)
        normal = (images - self.mean) / self.std
        if self.erase is not None:
            for image, (_, seed) in zip(normal, keys, strict=True):
                with seeded(seed):
                    self.erase(image)
        return normal, targets

    def _resized(self, targets: Tensor) -> Tensor:
        if self.target == "class":
            return targets
        nearest = self.target in ("class_map", "distance")
        mode = InterpolationMode.NEAREST_EXACT if nearest else InterpolationMode.BICUBIC
        return TF.resize(targets, [self.size, self.size], mode)

    def _rand_augmented(self, image: Tensor, seed: int) -> Tensor:
        pixels = image.permute(1, 2, 0).numpy()
        picture = Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels)
        with seeded(seed):
            changed = np.array(self.rand_augment(picture))
        return torch.from_numpy(changed.reshape(pixels.shape)).permute(2, 0, 1)


class SequenceBatches(Batches):
    """Sequences of numbers, or of tokens, with a mask if their lengths differ.

    Args:
        split: sequences ``(M, N, F)``, float32, or runs of tokens.
        shift: the greatest random shift, in elements; zeros come in at the end that is left free.
    """

    def __init__(self, split: Split, shift: int) -> None:
        super().__init__(split)
        self.shift = shift

    def __getitems__(self, keys: Sequence[Key]) -> Batch:
        indices = [index for index, _ in keys]
        inputs = self.split.inputs
        if isinstance(inputs, TokenRuns):
            runs = [torch.from_numpy(inputs[index].astype(np.int64)) for index in indices]
            tokens = torch.nn.utils.rnn.pad_sequence(runs, batch_first=True)
            lengths = torch.tensor([len(run) for run in runs])
            mask = torch.arange(tokens.shape[1]) < lengths[:, None]
            return tokens, mask, self.targets(indices)
        values = torch.from_numpy(cast(np.ndarray, inputs)[indices])
        if self.shift:
            values = torch.stack([self._shifted(x, seed) for x, (_, seed) in zip(values, keys, strict=True)])
        return values, self.targets(indices)

    def _shifted(self, x: Tensor, seed: int) -> Tensor:
        by = int(np.random.default_rng(seed).integers(-self.shift, self.shift + 1))
        return F.pad(x, (0, 0, max(by, 0), max(-by, 0)))[max(-by, 0) :][: len(x)]


class TokenBatches(Batches):
    """Windows of a stream of tokens, and what follows each token.

    Args:
        split: the stream.
        shift: let every window begin at random up to a window later, so that no epoch sees the same ones.
    """

    def __init__(self, split: Split, shift: bool) -> None:
        super().__init__(split)
        self.stream = cast(TokenStream, split.inputs)
        self.shift = shift

    def __getitems__(self, keys: Sequence[Key]) -> Batch:
        length = self.stream.length
        starts = np.asarray([index * length for index, _ in keys])
        if self.shift:
            starts += [int(np.random.default_rng(seed).integers(length)) for _, seed in keys]
            starts = np.minimum(starts, len(self.stream.tokens) - length - 1)
        tokens, following = self.stream.windows(starts)
        return torch.from_numpy(tokens), torch.from_numpy(following)


class PixelSequences(Dataset[Any]):
    """Images read row by row: intensities ``(B, H W, C)``, or token ids ``(B, H W)``; targets of pixels likewise."""

    def __init__(self, images: ImageBatches, facts: ImageFacts) -> None:
        self.images = images
        self.facts = facts

    def __len__(self) -> int:
        return len(self.images)

    def __getitems__(self, keys: Sequence[Key]) -> Batch:
        images, targets = self.images.__getitems__(keys)
        pixels = rearrange(images, "b c h w -> b (h w) c")
        if self.facts.target != "class":
            targets = targets.flatten(-2)
        if not self.facts.tokens:
            return pixels, targets
        grey = pixels * self.images.std.view(-1) + self.images.mean.view(-1)
        return grey[..., 0].round().clamp(0, 255).long(), targets


def sequence_facts(facts: Facts) -> SequenceFacts:
    """Return what a sequence model has to know of sequences, or of images read row by row."""
    if isinstance(facts, SequenceFacts):
        return facts
    if isinstance(facts, TextFacts):
        return SequenceFacts((), None, facts.vocabulary, facts.length, facts.target)
    return SequenceFacts(
        facts.classes,
        None if facts.tokens else facts.channels,
        256 if facts.tokens else None,
        facts.size**2,
        facts.target,
        facts.target_channels,
    )


def build_loader(
    recipe: Recipe, facts: Facts, split: Split, *, training: bool, sequences: bool, resolution: float = 1.0
) -> DataLoader[Any]:
    """Return a loader of batches of inputs and targets, a mask between them where lengths differ.

    Args:
        recipe: gives batch size, augmentation, workers and seed.
        facts: what the samples are.
        split: the samples.
        training: draw the samples in random order, augment them, and leave out the last, smaller batch.
        sequences: whether they are for a sequence model.
        resolution: by what images are enlarged.

    Raises:
        WavezooError: if a batch is larger than the training data, or if an augmentation does not fit the samples.
    """
    if training and recipe.batch_size > len(split):
        raise WavezooError(
            f"batch_size is {recipe.batch_size}, more than the {len(split)} training samples. Lower it, or raise "
            "data.limit_samples."
        )
    check_augmentation(recipe.augmentation, facts, sequences)
    dataset: Dataset[Any]
    if isinstance(facts, ImageFacts):
        size = round(facts.size * resolution)
        dataset = ImageBatches(split, facts, recipe.augmentation if training else None, size)
        if sequences:
            dataset = PixelSequences(dataset, facts)
    elif isinstance(facts, TextFacts):
        dataset = TokenBatches(split, training)
    else:
        dataset = SequenceBatches(split, recipe.augmentation.shift if training else 0)
    workers = recipe.data.workers
    return DataLoader(
        dataset,
        batch_size=recipe.batch_size,
        sampler=EpochSampler(len(split), recipe.seed) if training else InOrder(len(split)),
        drop_last=training,
        collate_fn=_as_it_is,
        num_workers=workers,
        persistent_workers=workers > 0,
        worker_init_fn=leave_ctrl_c_to_the_main_process,
        pin_memory=torch.cuda.is_available(),
        # One of its own, so that the loader draws nothing from the generator that training uses.
        generator=torch.Generator().manual_seed(recipe.seed),
    )


def _as_it_is(batch: Any) -> Any:
    return batch
