"""Recipes and overrides that are wrong in any way: one message, or a training."""

import copy
import shutil

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from wavezoo.config.documents import dump
from wavezoo.config.recipe import find_recipe, load_recipe, recipe_names
from wavezoo.train import smoke
from wavezoo.train.loop import Trainer

SHARED = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large]


@pytest.fixture(autouse=True)
def nothing_is_trained(monkeypatch):
    class Prepared(Exception):  # noqa: N818
        exit_code = 0

    def stop(self):
        raise Prepared

    monkeypatch.setattr(Trainer, "run", stop)


# Where mistakes are likely, and what may be said there.
SECTIONS = ["model"] * 5 + ["optimizer", "schedule", "augmentation", "evaluation", "data", "task", ""]
MODEL_KEYS = (
    "name mixer preset laplacian integrator speed damping_field damping potential drift steps dt gradient norm dims "
    "depths strides patch_size depth dim drop_path_rate global_pool in_chans num_classes img_size device dtype causal "
    "pretrained in_features vocab_size matching mlp_ratio"
)
KEYS = {
    "model": MODEL_KEYS.split(" "),
    "data": ["path", "validation", "columns", "seed", "limit_samples", "name", "workers", "tokens"],
    "task": ["name", "x"],
}


@st.composite
def contents(draw, values):
    """Shipped recipes, small and on the digits, of which a few keys are replaced, removed or added."""
    content = smoke(load_recipe(find_recipe(draw(st.sampled_from(recipe_names()))))).model_dump(mode="json")
    content |= {"data": {"name": "digits", "limit_samples": 32}, "task": {"name": "classification"}, "batch_size": 4}
    content["augmentation"] = {}
    for _ in range(draw(st.integers(1, 2))):
        section = content.get(draw(st.sampled_from(SECTIONS)), content)
        known = KEYS.get(next((name for name, each in content.items() if each is section), ""), list(section))
        key = draw(st.sampled_from(known or ["mixup", "cutmix", "rand_augment", "crop_padding", "shift"]))
        if draw(st.integers(0, 9)):
            section[key] = draw(values)
        else:
            section.pop(key, None)
    return copy.deepcopy(content)


def _train(command, in_empty_folder, text, *arguments):
    with in_empty_folder() as folder:
        (folder / "r.yaml").write_bytes(text)
        command("train", "r.yaml", "--device", "cpu", "--out", "run", *arguments)
        shutil.rmtree(folder / "run", ignore_errors=True)


def _mutated(command, in_empty_folder, values, data):
    _train(command, in_empty_folder, dump(data.draw(contents(values))).encode())


@settings(max_examples=100, suppress_health_check=SHARED)
@given(st.data())
def test_a_recipe_trains_or_is_refused(command, in_empty_folder, values, data):
    _mutated(command, in_empty_folder, values, data)


@pytest.mark.slow
@settings(max_examples=2000, suppress_health_check=SHARED)
@given(st.data())
def test_many_recipes_train_or_are_refused(command, in_empty_folder, values, data):
    _mutated(command, in_empty_folder, values, data)


@settings(max_examples=40, suppress_health_check=SHARED)
@given(st.data())
def test_an_override_is_taken_or_refused(command, in_empty_folder, values, data):
    keys = st.sampled_from(
        ["seed", "optimizer.lr", "model.mixer", "model.speed.name", "data", "x.y", ".", "", "a" * 300]
    )
    value = data.draw(values.map(lambda value: dump(value).removesuffix("\n...\n").strip()) | st.text(max_size=20))
    with in_empty_folder() as folder:
        command(
            "train", "quickstart", "--smoke", "--device", "cpu", "--out", "run", "--set", f"{data.draw(keys)}={value}"
        )
        shutil.rmtree(folder / "run", ignore_errors=True)


@settings(max_examples=100, suppress_health_check=SHARED)
@given(st.data())
def test_a_garbled_recipe_is_refused_or_trains(command, in_empty_folder, data):
    text = bytearray(dump(smoke(load_recipe(find_recipe("quickstart"))).model_dump(mode="json")).encode())
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, len(text)))
        end = min(len(text), start + data.draw(st.integers(0, 8)))
        text[start:end] = data.draw(
            st.binary(max_size=4) | st.sampled_from([b"&a ", b"*a", b"!!int ", b"\t", b"- ", b": "])
        )
    _train(command, in_empty_folder, bytes(text))
