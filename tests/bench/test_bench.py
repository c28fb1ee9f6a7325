import json

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

import wavezoo
from wavezoo.bench import exponent
from wavezoo.bench.models import COUNTED
from wavezoo.bench.operator import naive_solution


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
    small = ["bench", "operator", "--grid", "4", "--repeats", "1", "--no-compile", "--device", "cpu"]
    records = wavezoo_(*small, "--csv")[1].splitlines()
    assert records[0].startswith("grid,batch,channels,contender,")
    assert len(records) == 1 + len(by_name)
    table = wavezoo_(*small, "--markdown")[1]
    assert "| layer: wavezoo, closed form |" in table
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
