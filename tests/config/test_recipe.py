import pytest
import yaml

from wavezoo.config.recipe import BUDGETS, dump_recipe, find_recipe, load_recipe, recipe_names
from wavezoo.errors import WavezooError

MINIMAL = """\
name: minimal
model:
  name: wavepde_iso_tiny
data:
  name: digits
optimizer:
  lr: 1e-3
epochs: 2
batch_size: 8
"""


def write(tmp_path, text):
    file = tmp_path / "recipe.yaml"
    file.write_text(text)
    return file


@pytest.mark.parametrize("name", recipe_names())
def test_shipped_recipes_are_valid_and_survive_a_round_trip(name, tmp_path):
    recipe = load_recipe(find_recipe(name))
    assert recipe.name == name
    assert recipe.description
    assert load_recipe(write(tmp_path, dump_recipe(recipe))) == recipe


def test_numbers_in_exponent_notation(tmp_path):
    assert load_recipe(write(tmp_path, MINIMAL)).optimizer.lr == 1e-3


def test_overrides_are_applied_and_checked(tmp_path):
    file = write(tmp_path, MINIMAL)
    recipe = load_recipe(file, ["optimizer.lr=2e-4", "model.laplacian={name: finite_difference, order: 4}"])
    assert recipe.optimizer.lr == 2e-4
    assert recipe.model.options["laplacian"] == {"name": "finite_difference", "order": 4}
    for override, message in {
        "optimizer.lrr=1": "--set optimizer.lrr=1: unknown key 'optimizer.lrr'. Known here, nearest first: lr",
        "optimizer.lr=-1": "greater than 0",
        "optimizer.lr": "not of the form key=value",
        "name.x=1": "'name' is not a section",
        "epochs=[": "--set epochs=[: not YAML",
    }.items():
        with pytest.raises(WavezooError) as caught:
            load_recipe(file, [override])
        assert message in str(caught.value)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("optimizer:", "optimzer:", "recipe.yaml:6: unknown key 'optimzer'. Known here, nearest first: optimizer"),
        ("  lr: 1e-3", "  learning: 1", "recipe.yaml:7: unknown key 'optimizer.learning'"),
        ("epochs: 2", "epochs: two", "recipe.yaml:8: epochs is 'two'"),
        ("epochs: 2", "epochs: 0", "recipe.yaml:8: epochs is 0: input should be greater than or equal to 1"),
        ("  lr: 1e-3", "  lr: -1", "recipe.yaml:7: optimizer.lr is -1"),
        ("  lr: 1e-3", "  lr: .nan", "recipe.yaml:7: optimizer.lr is nan"),
        ("  name: digits", "", "recipe.yaml:4: data is None"),
        ("epochs: 2\n", "", "recipe.yaml: give exactly one of epochs, steps, samples; none is given"),
        ("epochs: 2\n", "epochs: 2\nsteps: 3\n", "epochs is 2 and steps is 3. Set the others to null"),
        ("batch_size: 8\n", "", "recipe.yaml: the key 'batch_size' is missing"),
        (
            "  name: wavepde_iso_tiny",
            "  name: a\n  options: {steps: 3}",
            "recipe.yaml:4: model.options is no key any more",
        ),
        ("  name: wavepde_iso_tiny", "  name: a\n  schemes: {}", "write its keys directly under model"),
        (
            "name: minimal",
            "name: minimal\ntensorboard: true",
            "tensorboard is no key any more; say logger",
        ),
        ("name: minimal", "name: ../../x", "recipe.yaml:1: name is '../../x'"),
        ("name: minimal", "name: minimal\nseed: 4294967296", "recipe.yaml:2: seed is 4294967296"),
        ("name: minimal", "name: [", "recipe.yaml:3: not YAML"),
        ("name: minimal", "name: a\nname: b", "recipe.yaml:2: the key 'name' is given twice"),
        ("batch_size: 8", "batch_size: 7\naugmentation:\n  mixup: 0.2", "batch_size is 7; mixup and cutmix"),
        ("batch_size: 8", "batch_size: 8\nprecision: double", "'fp32', 'bf16' or 'fp16'"),
        (MINIMAL, "- a list", "a recipe is a mapping"),
        (MINIMAL, "", "a recipe is a mapping"),
        ("minimal", "!!python/object/apply:os.system ['true']", "not YAML"),
    ],
)
def test_a_bad_recipe_names_file_line_and_key(old, new, message, tmp_path):
    assert old in MINIMAL
    with pytest.raises(WavezooError) as caught:
        load_recipe(write(tmp_path, MINIMAL.replace(old, new, 1)))
    assert message in str(caught.value)


def test_all_mistakes_are_named_at_once(tmp_path):
    with pytest.raises(WavezooError) as caught:
        load_recipe(
            write(tmp_path, MINIMAL.replace("epochs: 2", "epochs: 0").replace("batch_size: 8", "batch_size: x"))
        )
    assert "epochs is 0" in str(caught.value)
    assert "batch_size is 'x'" in str(caught.value)


def test_recipes_are_found_by_name_or_path(tmp_path):
    file = write(tmp_path, MINIMAL)
    assert find_recipe(str(file)) == file
    with pytest.raises(WavezooError, match="nearest first: quickstart"):
        find_recipe("quickstat")
    with pytest.raises(WavezooError, match="does not exist"):
        find_recipe(str(tmp_path / "none.yaml"))
    (tmp_path / "folder.yaml").mkdir()
    with pytest.raises(WavezooError, match="cannot be read"):
        load_recipe(tmp_path / "folder.yaml")


def test_the_resolved_recipe_is_plain_yaml():
    assert yaml.safe_load(dump_recipe(load_recipe(find_recipe("quickstart"))))["optimizer"]["clip_grad"] == 1.0


def test_a_base_is_taken_over_and_later_keys_win(tmp_path):
    (tmp_path / "below.yaml").write_text(MINIMAL + "seed: 3\n")
    schemes = "model:\n  laplacian: {name: finite_difference, order: 4}\n  damping: none\n"
    (tmp_path / "middle.yaml").write_text("base: below.yaml\nepochs: 5\n" + schemes)
    over = write(tmp_path, "base: middle.yaml\nname: over\nmodel: {laplacian: {name: cosine}}\n")
    recipe = load_recipe(over, ["batch_size=4"])
    assert (recipe.name, recipe.epochs, recipe.seed, recipe.batch_size) == ("over", 5, 3, 4)
    assert recipe.model.name == "wavepde_iso_tiny"
    # A scheme is replaced with its options, the others stay.
    assert recipe.model.options["laplacian"] == {"name": "cosine"}
    assert recipe.model.options["damping"] == "none"


def test_a_base_by_name(tmp_path):
    recipe = load_recipe(write(tmp_path, "base: quickstart\nname: mine\n"))
    assert recipe.model == load_recipe(find_recipe("quickstart")).model


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("base: quickstat\n", "recipe.yaml:1: base: recipe is 'quickstat'; allowed, nearest first: quickstart"),
        ("base: 3\n", "recipe.yaml:1: base is 3"),
        ("base: recipe.yaml\n", "recipe.yaml:1: base: recipe.yaml leads back to recipe.yaml"),
        ("base: below.yaml\nepochs: 0\n", "recipe.yaml:2: epochs is 0"),
        ("base: wrong.yaml\n", "wrong.yaml:2: epochs is 0"),
    ],
)
def test_a_bad_base_is_named(text, message, tmp_path):
    (tmp_path / "below.yaml").write_text(MINIMAL)
    (tmp_path / "wrong.yaml").write_text("base: below.yaml\nepochs: 0\n")
    with pytest.raises(WavezooError) as caught:
        load_recipe(write(tmp_path, text))
    assert message in str(caught.value)


@pytest.mark.parametrize("name", recipe_names())
def test_shipped_recipes_say_what_they_are_for(name):
    text = find_recipe(name).read_text()
    for what in ("# What for:", "# Settings:", "# Cost:", "# Expected:"):
        assert what in text


@pytest.mark.parametrize("budget", BUDGETS)
def test_every_budget_is_a_budget(budget, tmp_path):
    recipe = load_recipe(write(tmp_path, MINIMAL.replace("epochs: 2", f"{budget}: 2")))
    assert {name: getattr(recipe, name) for name in BUDGETS} == {
        name: 2 if name == budget else None for name in BUDGETS
    }


def test_a_task_is_a_name_or_a_mapping(tmp_path):
    by_name, by_mapping = (
        load_recipe(write(tmp_path, MINIMAL + f"task: {task}\n")).task
        for task in ("regression", "{name: segmentation, background: 3}")
    )
    assert (by_name.name, by_name.options) == ("regression", {})
    assert (by_mapping.name, by_mapping.options) == ("segmentation", {"background": 3})
