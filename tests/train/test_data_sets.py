"""Trainings on data of other kinds: of a plugin, of timm's models' size, and folders that change afterwards."""

import numpy as np
import pytest
from PIL import Image

import wavezoo
from wavezoo.config.recipe import Recipe
from wavezoo.data import DatasetEntry, ImageFacts, Split, Splits
from wavezoo.errors import WavezooError
from wavezoo.train import evaluate, resume, train


class Larger:
    """A plugin with images of 32 x 32 pixels."""

    @wavezoo.hookimpl
    def wavezoo_datasets(self):
        facts = ImageFacts(("dark", "bright"), 3, 32, (0.5,) * 3, (0.5,) * 3)

        def read(source):
            images = np.random.default_rng(0).integers(0, 256, (16, 32, 32, 3), dtype=np.uint8)
            split = Split(images, (images.mean((1, 2, 3)) > 127).astype(np.int64))
            return Splits(split, split)

        return {"larger": DatasetEntry("larger", "Noise.", facts, read)}


def recipe(model, data, **more):
    return Recipe.model_validate({"name": "r", "model": model, "data": data, "batch_size": 4, "steps": 1, **more})


def test_a_baseline_of_timms_trains_beside_ours(scratch_registry, tmp_path):
    wavezoo.register(Larger())
    for name in ("convnext_atto", "wavepde_iso_tiny"):
        summary = train(recipe({"name": name}, {"name": "larger"}), tmp_path / name, "cpu")
        assert (summary.model, summary.updates) == (name, 1)
        assert evaluate(tmp_path / name, device="cpu").numbers == summary.last


@pytest.fixture
def images(tmp_path):
    """A folder of images in two classes."""
    pixels = np.random.default_rng(0).integers(0, 256, (2, 4, 8, 8, 3), dtype=np.uint8)
    for split in ("train", "test"):
        for name, of_class in zip("ab", pixels, strict=True):
            folder = tmp_path / "images" / split / name
            folder.mkdir(parents=True)
            for number, each in enumerate(of_class):
                Image.fromarray(each).save(folder / f"{number}.png")
    return tmp_path / "images"


@pytest.mark.parametrize("change", ["renamed", "added", "removed"])
def test_classes_that_changed_are_refused(change, images, tmp_path):
    model = {"name": "wavepde_iso_tiny", "dims": [8, 8, 8, 8], "patch_size": 1}
    trained = recipe(model, {"name": "image_folder", "path": str(images), "size": 8})
    train(trained, tmp_path / "run", "cpu")
    assert evaluate(tmp_path / "run", device="cpu").details["accuracy_by_class"].keys() == {"a", "b"}
    for split in ("train", "test"):
        folder = images / split
        if change == "renamed":
            (folder / "a").rename(folder / "c")
        elif change == "added":
            (folder / "b").joinpath("0.png").rename(_made(folder / "c") / "0.png")
        else:
            for file in (folder / "b").iterdir():
                file.unlink()
            (folder / "b").rmdir()
    (tmp_path / "run" / "summary.json").unlink()
    for again in (evaluate, resume):
        with pytest.raises(WavezooError, match="other classes than those"):
            again(tmp_path / "run", device="cpu")


def _made(folder):
    folder.mkdir()
    return folder
