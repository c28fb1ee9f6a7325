"""Batches: what is drawn for a sample depends on seed, epoch and sample alone; padding changes nothing."""

import subprocess
import sys

import numpy as np
import pytest
import torch
from PIL import Image

from wavezoo.config.recipe import find_recipe, load_recipe, with_overrides
from wavezoo.data import ImageFacts, SequenceFacts, Split, TokenRuns, find_dataset
from wavezoo.errors import WavezooError
from wavezoo.train import load_run, smoke, train
from wavezoo.train.loaders import EpochSampler, build_loader
from wavezoo.train.model import build_model, build_task

FACTS = ImageFacts(("a", "b"), 3, 8, (0.4, 0.5, 0.6), (0.2, 0.25, 0.3))


def images(count=24):
    rng = np.random.default_rng(0)
    return Split(rng.integers(0, 256, (count, 8, 8, 3), dtype=np.uint8), np.arange(count) % 2)


def loader(*overrides, split=None, training=True, sequences=False, facts=FACTS, resolution=1.0):
    recipe = load_recipe(find_recipe("quickstart"), ["batch_size=8", "augmentation.crop_padding=0", *overrides])
    return build_loader(
        recipe,
        facts,
        images() if split is None else split,
        training=training,
        sequences=sequences,
        resolution=resolution,
    )


def epoch(built, number=0, first=0):
    if isinstance(built.sampler, EpochSampler):
        built.sampler.start(number, first)
    return [torch.cat(column) for column in zip(*built, strict=True)]


AUGMENTED = [
    "augmentation.crop_padding=2",
    "augmentation.horizontal_flip=0.5",
    "augmentation.rand_augment=rand-m9-mstd0.5",
    "augmentation.random_erasing=0.5",
]


def test_test_images_are_normalised_and_in_order():
    pixels, labels = epoch(loader(training=False))
    expected = images().inputs / 255
    expected = (expected - np.array(FACTS.mean)) / np.array(FACTS.std)
    assert torch.allclose(pixels, torch.from_numpy(expected).permute(0, 3, 1, 2).float(), atol=1e-5)
    assert labels.tolist() == images().targets.tolist()


def test_workers_change_nothing():
    alone, helped = epoch(loader(*AUGMENTED)), epoch(loader(*AUGMENTED, "data.workers=2"))
    assert all(torch.equal(a, b) for a, b in zip(alone, helped, strict=True))


def test_epochs_seeds_and_resumptions():
    built = loader(*AUGMENTED)
    first, second = epoch(built, 0), epoch(built, 1)
    assert not torch.equal(first[0], second[0])
    assert torch.equal(epoch(built, 0)[0], first[0])
    assert torch.equal(epoch(built, 0, first=8)[0], first[0][8:])
    assert not torch.equal(epoch(loader(*AUGMENTED, "seed=1"))[0], first[0])


def test_loading_leaves_the_generators_alone():
    torch.manual_seed(0)
    before = torch.get_rng_state(), np.random.get_state()[1].copy()
    epoch(loader(*AUGMENTED))
    assert torch.equal(torch.get_rng_state(), before[0])
    assert np.array_equal(np.random.get_state()[1], before[1])


@pytest.mark.parametrize("policy", ["rand-m10-n6-inc1", "rand-m0-n6", "rand-m9-mstd0.5-inc1"])
def test_rand_augment_at_its_weakest_and_strongest(policy):
    pixels, _ = epoch(loader(f"augmentation.rand_augment={policy}", split=images(96)))
    assert pixels.isfinite().all()


def test_every_sample_once_an_epoch():
    split = images()
    numbered = Split(np.arange(24, dtype=np.uint8).repeat(8 * 8 * 3).reshape(24, 8, 8, 3), split.targets)
    pixels, _ = epoch(loader(split=numbered))
    seen = (pixels[:, 0, 0, 0] * FACTS.std[0] + FACTS.mean[0]) * 255
    assert sorted(seen.round().int().tolist()) == list(range(24))


def test_crops_are_windows_of_the_padded_image_and_flips_are_flips():
    split = images()
    built = loader("augmentation.crop_padding=2", "augmentation.horizontal_flip=0.5")
    pixels, _ = epoch(built)
    order = [index for index, _ in EpochSampler(24, 0)]
    raw = (pixels * torch.tensor(FACTS.std).view(3, 1, 1) + torch.tensor(FACTS.mean).view(3, 1, 1)) * 255
    found = set()
    for row, index in enumerate(order):
        padded = np.pad(split.inputs[index], ((2, 2), (2, 2), (0, 0)))
        windows = {
            (y, x, flip): np.flip(padded[y : y + 8, x : x + 8], 1) if flip else padded[y : y + 8, x : x + 8]
            for y in range(5)
            for x in range(5)
            for flip in (False, True)
        }
        image = raw[row].round().permute(1, 2, 0).numpy().astype(np.uint8)
        matching = [place for place, window in windows.items() if np.array_equal(window, image)]
        assert len(matching) == 1
        found.add(matching[0])
    assert {flip for _, _, flip in found} == {False, True}
    assert len({(y, x) for y, x, _ in found}) > 8


def test_enlarged_images_are_pillows():
    # Smooth ones: where noise overshoots, Pillow clips between its two passes.
    slopes = np.add.outer(8 * np.arange(8), 12 * np.arange(8)).astype(np.uint8)
    split = Split(np.stack([slopes] * 3, -1)[None].repeat(8, 0), np.zeros(8, np.int64))
    pixels, _ = epoch(loader(training=False, resolution=2.0, split=split))
    picture = Image.fromarray(split.inputs[0]).resize((16, 16), Image.Resampling.BICUBIC)
    expected = (np.asarray(picture) / 255 - np.array(FACTS.mean)) / np.array(FACTS.std)
    # Both round to 8 bits, each in its own way.
    assert np.abs(pixels[0].permute(1, 2, 0).numpy() - expected).max() <= 1.01 / 255 / min(FACTS.std)


def test_images_as_sequences_are_read_row_by_row():
    pixels, _ = epoch(loader(training=False))
    rows, _ = epoch(loader(training=False, sequences=True))
    assert rows.shape == (24, 64, 3)
    assert torch.equal(rows[:, 8], pixels[:, :, 1, 0])
    grey = Split(images().inputs[..., :1], images().targets)
    facts = ImageFacts(("a", "b"), 1, 8, (0.4,), (0.2,), tokens=True)
    tokens, _ = epoch(loader(training=False, sequences=True, split=grey, facts=facts))
    assert torch.equal(tokens, torch.from_numpy(grey.inputs.reshape(24, 64).astype(np.int64)))


def test_shifted_sequences():
    series = np.arange(1, 7, dtype=np.float32).reshape(1, 6, 1).repeat(40, 0)
    facts = SequenceFacts(("a",), 1, None, 6)
    split = Split(series, np.zeros(40, np.int64))
    shifted, _ = epoch(loader("augmentation.shift=2", sequences=True, split=split, facts=facts))
    expected = {
        (3, 4, 5, 6, 0, 0),
        (2, 3, 4, 5, 6, 0),
        (1, 2, 3, 4, 5, 6),
        (0, 1, 2, 3, 4, 5),
        (0, 0, 1, 2, 3, 4),
    }
    assert {tuple(row.flatten().int().tolist()) for row in shifted} == expected


@pytest.mark.parametrize("mixer", ["wave", "attention", "depthwise", "none"])
def test_padding_changes_no_samples_logits(mixer):
    rng = np.random.default_rng(0)
    runs = [rng.integers(0, 17, length) for length in (5, 9, 23, 9)]
    split = Split(TokenRuns.joined(runs), np.zeros(4, np.int64))
    facts = find_dataset("listops").facts
    built = loader("batch_size=4", split=split, facts=facts, training=False, sequences=True)
    tokens, mask, _ = next(iter(built))
    overrides = [f"model.mixer={mixer}", "data.name=listops", "model.dim=8", "model.depth=2"]
    recipe = load_recipe(find_recipe("lra_listops"), overrides)
    model = build_model(recipe, facts, build_task(recipe, facts)).eval()
    with torch.no_grad():
        together = model(tokens, mask)
        alone = torch.cat([model(torch.from_numpy(run)[None]) for run in runs])
        otherwise = model(tokens.where(mask, 3), mask)
    assert torch.allclose(together, alone, atol=1e-5)
    assert torch.equal(together, otherwise)


def test_byte_tokens_train(tmp_path):
    overrides = ["data.name=lra_pathfinder", f"data.path={tmp_path}", "data.tokens=true"]
    rng = np.random.default_rng(0)
    (tmp_path / "imgs" / "0").mkdir(parents=True)
    (tmp_path / "metadata").mkdir()
    lines = []
    for index in range(20):
        pixels = rng.integers(0, 256, (32, 32), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / "imgs" / "0" / f"sample_{index}.png")
        lines.append(f"imgs/0 sample_{index}.png {index} {index % 2}\n")
    (tmp_path / "metadata" / "0.npy").write_text("".join(lines))
    recipe = with_overrides(smoke(load_recipe(find_recipe("lra_pathfinder"))), [*overrides, "batch_size=4"])
    summary = train(recipe, tmp_path / "run", "cpu")
    model = load_run(tmp_path / "run").model
    assert model.vocab_size == 256
    assert summary.best_by == "validation"


@pytest.mark.parametrize(
    "policy",
    ["foo-m9", "rand-foo9", "rand-m", "rand-mx", "rand-t", "rand-tnone", "rand-m9-", "", "rand-m-1", "rand-m٣"],
)
def test_policies_that_are_none(policy):
    with pytest.raises(WavezooError, match="which is no policy of timm's"):
        loader(f"augmentation.rand_augment={policy!r}")


@pytest.mark.slow
def test_a_policy_is_refused_by_python_without_asserts_too():
    code = (
        "from pathlib import Path\nfrom wavezoo.config.recipe import find_recipe, load_recipe\n"
        "from wavezoo.train import train\n"
        "train(load_recipe(find_recipe('quickstart'), ['augmentation.rand_augment=foo-m9']), Path('nowhere'), 'cpu')\n"
    )
    ended = subprocess.run([sys.executable, "-O", "-c", code], capture_output=True, text=True, check=False)
    assert "WavezooError: augmentation.rand_augment is 'foo-m9'" in ended.stderr


def test_images_are_kept_once():
    split = images()
    assert np.shares_memory(loader(split=split).dataset.images.numpy(), split.inputs)


MAPS = ImageFacts(("a", "b"), 3, 8, (0.4, 0.5, 0.6), (0.2, 0.25, 0.3), target="class_map")


def class_maps(count=24):
    """Images whose first channel tells the class of each pixel."""
    inputs = images(count).inputs
    return Split(inputs, (inputs[..., 0] > 127).astype(np.uint8))


def bright(pixels):
    return ((pixels[:, 0] * FACTS.std[0] + FACTS.mean[0]) * 255 > 127.5).long()


def test_targets_of_pixels_are_mirrored_with_them():
    pixels, targets = epoch(loader("augmentation.horizontal_flip=0.5", split=class_maps(), facts=MAPS))
    assert targets.dtype == torch.int64
    assert targets.shape == (24, 8, 8)
    assert torch.equal(targets, bright(pixels))
    unmoved, _ = epoch(loader(split=class_maps(), facts=MAPS))
    assert not torch.equal(pixels, unmoved)


def test_targets_of_pixels_are_enlarged_and_read_row_by_row_with_them():
    _, targets = epoch(loader(training=False, resolution=2.0, split=class_maps(), facts=MAPS))
    expected = class_maps().targets.repeat(2, 1).repeat(2, 2)
    assert torch.equal(targets, torch.from_numpy(expected).long())
    _, rows = epoch(loader(training=False, sequences=True, split=class_maps(), facts=MAPS))
    assert torch.equal(rows, torch.from_numpy(class_maps().targets.reshape(24, 64)).long())


@pytest.mark.parametrize("change", ["crop_padding=2", "rand_augment=rand-m9", "random_erasing=0.5", "mixup=0.2"])
def test_what_would_leave_the_targets_of_pixels_behind_is_refused(change):
    with pytest.raises(WavezooError, match="would change samples and not the targets"):
        loader(f"augmentation.{change}", split=class_maps(), facts=MAPS)


def test_fields_to_fields_in_their_own_numbers():
    rng = np.random.default_rng(0)
    split = Split(rng.normal(2, 3, (8, 8, 8, 1)).astype(np.float32), rng.normal(size=(8, 2, 8, 8)).astype(np.float32))
    facts = ImageFacts((), 1, 8, (2.0,), (3.0,), target="field", target_channels=2)
    values, targets = epoch(loader(training=False, split=split, facts=facts))
    assert torch.allclose(values[:, 0], torch.from_numpy((split.inputs[..., 0] - 2) / 3))
    assert torch.equal(targets, torch.from_numpy(split.targets))
