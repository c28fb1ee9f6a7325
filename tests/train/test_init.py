"""A training that starts from the weights of another."""

import pytest
import torch
from safetensors.torch import load_file

from wavezoo.config.recipe import Recipe
from wavezoo.errors import WavezooError
from wavezoo.train import smoke, train


def recipe(dim=8, **more):
    model = {"name": "wavepde_iso_tiny", "dims": [dim], "depths": [1], "strides": [1], "patch_size": 1}
    content = {
        "name": "r",
        "model": model,
        "data": {"name": "digits", "limit_samples": 32},
        "batch_size": 8,
        "steps": 2,
    }
    return Recipe.model_validate({**content, **more})


@pytest.fixture(scope="module")
def begun(tmp_path_factory):
    run = tmp_path_factory.mktemp("runs") / "begun"
    train(recipe(), run, "cpu")
    return run


def test_training_goes_on_from_the_last_weights_of_another_run(begun, tmp_path):
    still = {"optimizer": {"lr": 1e-30, "weight_decay": 0.0}, "seed": 5}
    train(recipe(init=str(begun), **still), tmp_path / "run", "cpu")
    train(recipe(**still), tmp_path / "fresh", "cpu")
    first, then, fresh = (load_file(run / "last.safetensors") for run in (begun, tmp_path / "run", tmp_path / "fresh"))
    for name, value in first.items():
        torch.testing.assert_close(then[name], value)
    assert any(not torch.allclose(fresh[name], value) for name, value in first.items())


@pytest.mark.parametrize(("init", "dim"), [("nowhere", 8), ("begun", 16)])
def test_weights_that_are_missing_or_of_another_shape_are_refused_before_anything_is_written(
    init, dim, begun, tmp_path
):
    given = str(begun if init == "begun" else tmp_path / "nowhere")
    with pytest.raises(WavezooError, match=r"init: .*(does not fit the model|has no last\.safetensors)"):
        train(recipe(dim, init=given), tmp_path / "run", "cpu")
    assert not (tmp_path / "run").exists()


def test_a_model_made_small_starts_afresh(begun):
    assert smoke(recipe(init=str(begun))).init is None
