import csv
import io
import json

import pytest
import torch

import wavezoo
from wavezoo.bench import bench_sequence, exponent
from wavezoo.bench.clock import HostClock
from wavezoo.bench.contenders import FUSED, UNFUSED, naive_solution, presets
from wavezoo.bench.report import Report
from wavezoo.bench.timing import Contender, timed_in_turn
from wavezoo.cli.reports import markdown_of, text_of
from wavezoo.config.presets import PRESETS
from wavezoo.experiments.records import Column

OPERATOR = ("operator", "--grid", "6x5", "--grid", "8", "--batch", "1", "--batch", "2", "--repeats", "2")
MODELS = ("models", "wavepde_pico", "--size", "32", "--batch", "1", "--repeats", "1", "--preset", "closed_form")
SEQUENCE = ("sequence", "--length", "16", "--length", "64", "--batch", "1", "--repeats", "1")
TRANSFORMS = ("transforms", "--grid", "8", "--grid", "4x4", "--repeats", "1")
LAYERS = ("operator", "--grid", "8", "--batch", "1", "--repeats", "1", "--only", "layer: closed", "--only", "bare")
WIDTH = 80


@pytest.fixture
def bench(wavezoo_):
    """Run a benchmark on the CPU and return what it prints."""

    def run(*arguments):
        code, out, err = wavezoo_("bench", *arguments, "--device", "cpu")
        assert code == 0, err
        return out

    return run


def test_the_operator_is_measured_with_every_preset_beside_attention(bench):
    found = json.loads(bench(*OPERATOR, "--json"))
    assert {(each["grid"], each["batch"]) for each in found["rows"]} == {(g, b) for g in ("6x5", "8") for b in (1, 2)}
    by_name = {each["contender"]: each for each in found["rows"] if each["grid"] == "6x5"}
    assert list(by_name)[: len(PRESETS)] == [f"layer: {preset}" for preset in presets()]
    assert {f"layer: {FUSED}", f"layer: {UNFUSED}"} < set(by_name)
    assert all(each["forward_ms"] > 0 and each["both_ms"] > 0 and each["rounds"] == 2 for each in by_name.values())
    kept = {name: each["kept_mib"] for name, each in by_name.items()}
    assert kept["layer: stepped, recompute"] < kept["layer: stepped"]
    assert kept["layer: attention, fused"] < kept["layer: attention, unfused"]
    assert {each["beside"] for each in found["ratios"] if each["ours"] == "layer: closed_form"} >= {
        "layer: global_filter",
        "layer: depthwise 7",
        "bare: transforms",
    }


def test_attention_is_the_faster_one_and_named(bench):
    found = json.loads(bench("operator", "--grid", "8", "--batch", "1", "--repeats", "3", "--json"))
    rows = {each["contender"]: each for each in found["rows"]}
    both = {name: rows[f"layer: {name}"]["both_ms"] for name in (FUSED, UNFUSED)}
    faster = min(both, key=lambda name: both[name])
    ratio = next(each for each in found["ratios"] if each["beside"] == f"layer: {faster}")
    assert ratio["both"] == pytest.approx(both[faster] / rows[ratio["ours"]]["both_ms"])


def numbers_of(text):
    try:
        return float(text)
    except ValueError:
        return text


REPORT = Report(
    "A trial",
    "Of nothing.",
    (
        Column(key="case", title="case"),
        Column(key="name", title="name"),
        Column(key="ms", title="forward + backward", unit="ms", digits=1),
    ),
    [{"case": case, "name": f"{name}, of a rather long name", "ms": 12.34} for case in ("a", "b") for name in "pq"],
    ("case",),
)


@pytest.mark.parametrize(
    "arguments", [OPERATOR[:3] + OPERATOR[5:7] + OPERATOR[9:], TRANSFORMS], ids=lambda given: given[0]
)
def test_csv_and_json_and_markdown_have_the_same_columns(arguments, bench):
    rows = json.loads(bench(*arguments, "--json"))["rows"]
    read = list(csv.DictReader(io.StringIO(bench(*arguments, "--csv"))))
    assert [list(each) for each in read] == [list(each) for each in rows]
    table = bench(*arguments, "--markdown").split("\n\n")[1].splitlines()
    assert len(table) == 2 + len(rows)
    assert {len(line.split("|")) for line in table} == {2 + len(rows[0])}


def test_no_number_is_lost_between_a_report_and_what_is_printed(capsys):
    from wavezoo.cli.reports import say_report

    rows = [{"name": "x", "ms": 0.1 + 0.2}, {"name": "y", "ms": 1e-7}]
    columns = (Column(key="name", title="name"), Column(key="ms", title="time", unit="ms"))

    def report(measured):
        return Report("T", "", columns, [*measured])

    say_report([rows], report, "json", {})
    assert json.loads(capsys.readouterr().out)["rows"] == rows
    say_report([rows], report, "csv", {})
    read = csv.DictReader(io.StringIO(capsys.readouterr().out))
    assert [{key: numbers_of(cell) for key, cell in row.items()} for row in read] == rows
    say_report([rows], report, "markdown", {})
    assert "| x | 0.3 |" in capsys.readouterr().out


def test_text_keeps_full_names_within_the_width_that_there_is(monkeypatch):
    monkeypatch.setenv("COLUMNS", "36")
    text = text_of(REPORT)
    assert all(len(line) <= 36 for line in text.splitlines())
    assert text.count("case a") == text.count("case b") == 1
    for row in REPORT.rows:
        assert text.count(row["name"]) >= 2
        assert row["name"] in markdown_of(REPORT)
    assert "…" not in text


def test_a_piped_table_fits_eighty_letters(bench, monkeypatch):
    monkeypatch.delenv("COLUMNS", raising=False)
    for line in bench(*LAYERS).splitlines():
        assert len(line) <= WIDTH


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["operator", "--grid", "large"], "'large' is not a grid"),
        (["operator", "--grid", "4x4x4"], "no line and no rectangle"),
        (["operator", "--grid", "0"], "no line and no rectangle"),
        (["operator", "--grid", "8", "--repeats", "0"], "repeats is 0"),
        (["operator", "--grid", "8", "--batch", "0"], "batch is 0"),
        (["operator", "--grid", "8", "--batch", "1", "--only", "atention"], "attention, fused"),
        (["operator", "--grid", "8", "--csv", "--json"], "exclude each other"),
        (["models", "wavepde_tny"], "nearest first: wavepde_tiny"),
        (["models", "--size", "0"], "size is 0"),
        (["models", "wavepde_pico", "--size", "16"], "too small"),
        (["models", "--preset", "steped"], "nearest first: stepped"),
        (["sequence", "wavepde_tiny"], "nearest first: wavepde_seq_tiny"),
        (["sequence", "--mixer", "atention"], "nearest first: attention"),
        (["sequence", "--length", "0"], "lengths are [0]"),
        (["transforms", "--grid", "2x2x2"], "no line and no rectangle"),
        (["all", "--out", "x", "--only", "modles"], "nearest first: models"),
    ],
)
def test_what_cannot_be_measured_is_refused(arguments, message, wavezoo_):
    code, _, err = wavezoo_("bench", *arguments, "--device", "cpu")
    assert code == 2
    assert message in err


@pytest.mark.parametrize("command", ["operator", "models", "sequence", "transforms", "all"])
def test_a_device_that_is_not_there_is_named(command, wavezoo_):
    code, _, err = wavezoo_("bench", command, *(["--out", "x"] if command == "all" else []), "--device", "tpu")
    assert code == 2
    assert "device is 'tpu'; allowed, nearest first: " in err


def test_models_are_counted_and_timed(bench):
    found = json.loads(bench(*MODELS, "--json"))
    ours, convnext, poolformer = found["rows"]
    assert [each["model"] for each in (ours, convnext, poolformer)] == [
        "wavepde_pico",
        "convnext_atto",
        "poolformerv2_s12",
    ]
    # Published for convnext_atto at 224: 3.70 M parameters, 0.55 GMACs, 3.8 M activations; at 32, (32 / 224)² of it.
    assert convnext["parameters"] == pytest.approx(3.70, abs=0.01)
    assert convnext["gmacs"] == pytest.approx(0.55 * (32 / 224) ** 2, rel=0.05)
    assert convnext["activations"] == pytest.approx(3.81 * (32 / 224) ** 2, rel=0.05)
    [ratio] = found["ratios"]
    assert ratio["kept"] == pytest.approx(ours["kept_mib"] / convnext["kept_mib"])
    assert ratio["forward"] == pytest.approx(ours["images_per_s"] / convnext["images_per_s"])


def test_memory_of_a_sequence_model_grows_with_the_length_and_no_faster(bench):
    out = bench(*SEQUENCE, "--mixer", "attention")
    assert "attention, fused: time grows like N^" in out
    cases = [(64, 1), (256, 1), (1024, 1)]
    measured = bench_sequence("wavepde_seq_tiny", ["wave"], cases, torch.device("cpu"), 1, chosen=["closed_form"])
    kept = [each.cost.kept_mib for group in measured for each in group]
    assert exponent([64, 256, 1024], kept) == pytest.approx(1, abs=0.1)


def test_an_exponent_is_the_slope_of_the_logarithms():
    assert exponent([1, 2, 4], [3, 12, 48]) == pytest.approx(2)


def test_the_naive_solution_of_the_bench_is_the_published_one():
    operator = wavezoo.create_operator(3, 2, "paper", dt=0.4)
    x = torch.randn(2, 3, 6, 5, generator=torch.Generator().manual_seed(0))
    speed, gamma, _ = operator.fields(x)
    expected = operator.integrated(x, None, speed, gamma)[0]
    actual = naive_solution(x, speed, gamma, operator.dt, operator.steps)
    torch.testing.assert_close(actual, expected, rtol=1e-4, atol=1e-5)


def test_patience_counts_rounds_and_not_what_warms_up():
    calls = []
    contender = Contender("one", lambda x: calls.append(x) or x, (torch.ones(1, requires_grad=True),), ())
    times = timed_in_turn([contender], HostClock(), repeats=9, patience=0.0)["one"]
    assert len(times.forward) == len(times.both) == 3
    assert len(calls) == 2 * (1 + 3)
