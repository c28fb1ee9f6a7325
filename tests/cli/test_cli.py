import json
from dataclasses import asdict

import pytest

from wavezoo.config.presets import PRESETS
from wavezoo.config.recipe import recipe_names
from wavezoo.data import find_dataset
from wavezoo.plugins.axes import AXES
from wavezoo.plugins.registry import registry

PLUGIN = """
import wavezoo
from wavezoo.wave.integrators.velocity_verlet import VelocityVerlet

class Mine(VelocityVerlet):
    '''My integrator.'''

@wavezoo.hookimpl
def wavezoo_integrators():
    return {"mine": Mine}
"""
TINY = ["--epochs", "1", "--limit-samples", "32", "--set", "batch_size=8", "--set", "model.dims=[8, 8, 8, 8]"]


def test_train_then_evaluate(wavezoo_, tmp_path):
    code, out, _ = wavezoo_("train", "quickstart", *TINY, "--device", "cpu", "--out", "run")
    assert code == 0
    result = json.loads(out.splitlines()[-1])
    accuracy = f"{result['accuracy']:.2%}"
    assert f"accuracy {accuracy}" in out
    assert result["run"] == "run"
    code, out, _ = wavezoo_("train", "--resume", "run", "--device", "cpu")
    assert code == 0
    assert json.loads(out.splitlines()[-1]) == result
    code, out, _ = wavezoo_("runs", "run", "--compare")
    assert code == 0
    assert out.splitlines()[1].split()[:3] == ["run", "quickstart", "ended"]
    code, out, _ = wavezoo_("runs", "run", "--seeds")
    assert code == 0
    assert out.splitlines()[1].split()[:4] == ["quickstart", "0", "accuracy", accuracy]
    code, out, _ = wavezoo_("evaluate", "run", "--device", "cpu", "--resolution", "1.5")
    assert code == 0
    assert "images enlarged by 1.5" in out
    code, out, _ = wavezoo_("export", "run", "--format", "safetensors", "--out", "model.safetensors")
    assert code == 0
    assert "the last weights of run" in out
    code, out, _ = wavezoo_("evaluate", "run", "--device", "cpu")
    assert code == 0
    assert out.startswith(f"accuracy {accuracy}")


def test_a_run_with_a_plugin_file_says_so_when_it_is_evaluated_without(wavezoo_, tmp_path, scratch_registry):
    (tmp_path / "mine.py").write_text(PLUGIN)
    choice = ["--set", "model.integrator=mine", "--device", "cpu", "--out", "run"]
    assert wavezoo_("train", "quickstart", *TINY, *choice, "--plugin", "mine.py")[0] == 0
    assert wavezoo_("evaluate", "run", "--plugin", "mine.py", "--device", "cpu")[0] == 0
    recipe = (tmp_path / "run" / "recipe.yaml").read_text()
    assert "plugins:\n- mine\n" in recipe


def test_the_missing_plugin_of_a_run_is_named(wavezoo_, tmp_path):
    (tmp_path / "run").mkdir()
    text = "format: 1\nname: x\nmodel: {name: wavepde_iso_tiny}\ndata: {name: digits}\nepochs: 1\nbatch_size: 8\n"
    text += "plugins: [mine]\n"
    (tmp_path / "run" / "recipe.yaml").write_text(text)
    facts = {"format": 1, "facts": asdict(find_dataset("digits").facts)}
    (tmp_path / "run" / "dataset.json").write_text(json.dumps(facts))
    code, _, err = wavezoo_("evaluate", "run")
    assert code == 2
    assert "'mine' is required and not loaded" in err


@pytest.mark.parametrize(
    "arguments",
    [
        ("train", "quickstat"),
        ("train", "missing.yaml"),
        ("train", "quickstart", "--set", "optimizer.lrr=1"),
        ("train", "quickstart", "--set", "model.laplacian=spectrum"),
        ("train", "quickstart", "--epochs", "0"),
        ("train", "quickstart", "--device", "abacus"),
        ("train", "quickstart", "--plugin", "missing.py"),
        ("train", "fashion_mnist", "--set", "data.path=missing"),
        ("train",),
        ("train", "--resume", "missing"),
        ("train", "--resume", "missing", "--out", "elsewhere"),
        ("runs",),
        ("runs", "missing"),
        ("generate", "pathfinder", "--out", "images", "--size", "33"),
        ("generate", "pathfinder", "--out", "images", "--count", "0"),
        ("generate", "pathfinder", "--out", "images", "--contour-length", "7"),
        ("generate", "listops", "--out", "lists", "--train", "-1"),
        ("evaluate", "missing"),
        ("list", "integrator"),
        ("describe", "verlet"),
        ("check", "verlet"),
        ("plugins", "--plugin", "no_such_module"),
    ],
    ids=" ".join,
)
def test_bad_input_is_one_message_and_exit_code_2(arguments, wavezoo_, tmp_path):
    code, _, err = wavezoo_(*arguments)
    assert code == 2
    assert err.startswith("wavezoo: ")
    assert "Traceback" not in err
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("axis", AXES)
def test_list_and_describe_every_scheme(axis, wavezoo_):
    code, out, _ = wavezoo_("list", axis)
    assert code == 0
    for name, scheme in registry.schemes(axis).items():
        assert name in out
        code, description, _ = wavezoo_("describe", name)
        assert code == 0
        assert "Facts:" in description
        assert scheme.__doc__.splitlines()[0] in description


@pytest.mark.parametrize("name", PRESETS)
def test_describe_a_preset(name, wavezoo_):
    code, out, _ = wavezoo_("describe", name)
    assert code == 0
    assert all(f"  {choice} " in out for choice in PRESETS[name].choices)
    assert all(reason in out for reason in PRESETS[name].idle.values())


def test_list_and_describe_the_rest(wavezoo_):
    for kind, name in (("models", "wavepde_iso_tiny"), ("recipes", "quickstart"), ("datasets", "cifar10")):
        code, out, _ = wavezoo_("list", kind)
        assert code == 0
        assert name in out
        assert wavezoo_("describe", name)[0] == 0
    assert set(recipe_names()) == {line.split()[0] for line in wavezoo_("list", "recipes")[1].splitlines()}


def test_plugins_lists_where_each_comes_from(wavezoo_, tmp_path, scratch_registry):
    (tmp_path / "mine.py").write_text(PLUGIN)
    code, out, _ = wavezoo_("plugins", "--plugin", "mine.py")
    assert code == 0
    assert "built in" in out
    assert "mine.py" in out.replace("\n", "")


def test_check_measures_a_scheme(wavezoo_, tmp_path, scratch_registry):
    (tmp_path / "mine.py").write_text(PLUGIN.replace("'''My integrator.'''", "'''Mine.'''\n    order = 4"))
    code, out, _ = wavezoo_("check", "mine", "--plugin", "mine.py")
    assert code == 1
    assert "FAILED  Mine().order_without_damping: without damping: observed order 2.0" in out
    assert "passed  Mine().energy_is_bounded" in out
    assert wavezoo_("check", "exponential")[0] == 0
