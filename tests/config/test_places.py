"""What a recipe says wrongly of a model is told with file, line and key."""

import pytest

from wavezoo.config.recipe import load_recipe, with_overrides
from wavezoo.errors import WavezooError
from wavezoo.train.model import build_model, build_task, data_source, find_data

RECIPE = """\
base: quickstart
model:
  name: {name}
  {key}: {value}
"""


def build(recipe):
    facts = find_data(recipe.data.name).facts_at(data_source(recipe.data))
    return build_model(recipe, facts, build_task(recipe, facts))


@pytest.mark.parametrize(
    ("key", "value", "keys"),
    [
        ("integrator", "leapfrog", "model.integrator"),
        ("mixer", "convolution", "model.mixer"),
        ("potential", "{name: klein_gordon, mas: 1.0}", "model.potential.mas"),
        ("laplacian", "{name: finite_difference, order: 3}", "model.laplacian"),
        ("speed", "{name: sponge, inner: {name: constant, sprad: 2.0}}", "model.speed.inner.sprad"),
        ("steps", "many", "model.steps"),
        ("depht", "3", "model.depht"),
        ("preset", "papre", "model.preset"),
        ("num_classes", "7", "model.num_classes"),
    ],
)
def test_a_wrong_keyword_of_the_model_is_told_with_file_line_and_key(tmp_path, key, value, keys):
    file = tmp_path / "mine.yaml"
    file.write_text(RECIPE.format(name="wavepde_iso_tiny", key=key, value=value))
    with pytest.raises(WavezooError) as error:
        build(load_recipe(file))
    assert str(error.value).startswith(f"{file}:4: {keys}: ")


def test_so_is_a_model_that_there_is_not(tmp_path):
    file = tmp_path / "mine.yaml"
    file.write_text(RECIPE.format(name="wavepde_iso_tony", key="steps", value=3))
    with pytest.raises(WavezooError, match=r"mine.yaml:3: model.name: model is 'wavepde_iso_tony'.*wavepde_iso_tiny"):
        build(load_recipe(file))


def test_an_override_stands_for_its_own_place(tmp_path):
    file = tmp_path / "mine.yaml"
    file.write_text(RECIPE.format(name="wavepde_iso_tiny", key="steps", value=3))
    recipe = with_overrides(load_recipe(file), ["model.integrator=leapfrog"])
    with pytest.raises(WavezooError, match=r"^--set model.integrator=leapfrog: model.integrator: "):
        build(recipe)
