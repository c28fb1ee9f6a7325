import json
import sys
from dataclasses import asdict

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

import wavezoo.cli.app
from wavezoo.bench import exponent
from wavezoo.bench.models import COUNTED
from wavezoo.bench.operator import naive_solution
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


@pytest.fixture
def wavezoo_(monkeypatch, capsys, tmp_path):
    """Run the command in an empty folder; return its exit code, output and errors."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["wavezoo", *map(str, arguments)])
        # Typer leaves through sys.exit also when all went well.
        with pytest.raises(SystemExit) as stopped:
            wavezoo.cli.app.main()
        captured = capsys.readouterr()
        return stopped.value.code or 0, captured.out, captured.err

    return run


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


def test_bench_prints_a_table_or_json(wavezoo_):
    arguments = [
        "bench",
        "operator",
        "--grid",
        "6x5",
        "--grid",
        "12",
        "--repeats",
        "2",
        "--no-compile",
        "--device",
        "cpu",
    ]
    code, out, _ = wavezoo_(*arguments)
    assert code == 0
    assert "x 6 x 5" in out
    assert "attention" in out
    code, out, _ = wavezoo_(*arguments, "--json")
    assert code == 0
    found = json.loads(out)["measurements"]
    assert {tuple(each["grid"]) for each in found} == {(6, 5), (12,)}
    by_name = {each["contender"]: each for each in found if each["grid"] == [6, 5]}
    for each in by_name.values():
        assert each["forward_ms"] > 0
        assert each["both_ms"] > 0
    kept = {name: each["kept_mib"] for name, each in by_name.items()}
    assert kept["layer: wavezoo, recompute"] < kept["layer: wavezoo, reverse"] < kept["layer: wavezoo, store"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--grid", "large"], "'large' is not a grid"),
        (["--grid", "4x4x4"], "no line and no rectangle"),
        (["--grid", "0"], "no line and no rectangle"),
        (["--grid", "8", "--repeats", "0"], "repeats is 0"),
        (["--grid", "8", "--device", "tpu"], "device is 'tpu'"),
    ],
)
def test_bench_refuses_what_it_cannot_measure(arguments, message, wavezoo_):
    code, _, err = wavezoo_("bench", "operator", *arguments)
    assert code == 2
    assert message in err


def test_bench_models_counts_and_times(wavezoo_):
    small = ("--size", "64", "--batch", "1", "--repeats", "1", "--device", "cpu")
    code, out, _ = wavezoo_("bench", "models", "wavepde_pico", *small, "--json")
    assert code == 0
    ours, convnext, poolformer = json.loads(out)["measurements"]
    assert [each["name"] for each in (ours, convnext, poolformer)] == [
        "wavepde_pico",
        "convnext_atto",
        "poolformerv2_s12",
    ]
    # Published for convnext_atto at 224: 3.70 M parameters, 0.55 GMACs, 3.8 M activations; at 64, (64 / 224)² of it.
    assert convnext["parameters"] == pytest.approx(3.70, abs=0.01)
    assert convnext["gmacs"] == pytest.approx(0.55 * (64 / 224) ** 2, rel=0.05)
    assert convnext["activations"] == pytest.approx(3.81 * (64 / 224) ** 2, rel=0.05)
    assert all(each["forward_images_per_s"] > each["training_images_per_s"] > 0 for each in (ours, convnext))


def test_transforms_are_counted():
    u = torch.empty(2, 3, 8, 16)
    with FlopCounterMode(display=False, custom_mapping=COUNTED) as counter:
        torch.fft.irfft2(torch.fft.rfft2(u), s=(8, 16))
    assert counter.get_total_flops() == 2 * 6 * 2.5 * 128 * 7


def test_bench_sequence_fits_exponents(wavezoo_):
    lengths = ("--length", "64", "--length", "256", "--length", "1024")
    mixers = ("--mixer", "wave", "--mixer", "attention")
    code, out, _ = wavezoo_("bench", "sequence", *lengths, *mixers, "--repeats", "1", "--device", "cpu")
    assert code == 0
    assert "wave: time grows like N^" in out
    code, out, _ = wavezoo_("bench", "sequence", *lengths, "--repeats", "1", "--device", "cpu", "--json")
    kept = [each["kept_mib"] for each in json.loads(out)["measurements"]]
    # Memory can be counted on, unlike time: it grows with the length and no faster.
    assert exponent([64, 256, 1024], kept) == pytest.approx(1, abs=0.1)


def test_an_exponent_is_the_slope_of_the_logarithms():
    assert exponent([1, 2, 4], [3, 12, 48]) == pytest.approx(2)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["models", "wavepde_tny"], "nearest first: wavepde_tiny"),
        (["models", "--size", "0"], "size is 0"),
        (["models", "wavepde_pico", "--size", "16"], "too small"),
        (["sequence", "wavepde_tiny"], "nearest first: wavepde_seq_tiny"),
        (["sequence", "--mixer", "atention"], "nearest first: attention"),
        (["sequence", "--length", "0"], "lengths are [0]"),
    ],
)
def test_bench_refuses_other_models_too(arguments, message, wavezoo_):
    code, _, err = wavezoo_("bench", *arguments, "--device", "cpu")
    assert code == 2
    assert message in err


def test_the_naive_solution_of_the_bench_is_the_published_one():
    operator = wavezoo.create_operator(3, 2, "paper", dt=0.4)
    x = torch.randn(2, 3, 6, 5, generator=torch.Generator().manual_seed(0))
    speed, gamma, _ = operator.fields(x)
    expected = operator.integrated(x, None, speed, gamma)[0]
    actual = naive_solution(x, speed, gamma, operator.dt, operator.steps)
    torch.testing.assert_close(actual, expected, rtol=1e-4, atol=1e-5)
