import importlib.util

import onnx
import onnxruntime
import pytest
import timm
import torch
from safetensors.torch import load_file
from torch import nn
from typer.testing import CliRunner

import wavezoo
from wavezoo.cli import app as cli
from wavezoo.export import export
from wavezoo.export.export import FORMATS, export_model
from wavezoo.mixers.wave import WaveMixer

SMALL = {"dims": (8, 12), "depths": (1, 1), "strides": (1, 2), "num_classes": 5}


def vision(name="wavepde_tiny", **kwargs):
    torch.manual_seed(0)
    return timm.create_model(name, **SMALL, **kwargs).eval()


def run_onnx(path, x):
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    return torch.from_numpy(session.run(None, {session.get_inputs()[0].name: x.numpy()})[0])


@pytest.mark.parametrize("format", FORMATS)
def test_what_is_exported_computes_the_same_for_any_batch(format, tmp_path):
    model = vision()
    result = export_model(model, torch.randn(1, 3, 64, 64), format, tmp_path / "model")
    assert result.size == result.path.stat().st_size > 1000
    assert result.difference < 1e-5
    assert [each.name for each in tmp_path.iterdir()] == ["model"]
    x = torch.randn(7, 3, 64, 64)
    if format == "onnx":
        actual = run_onnx(result.path, x)
        # By matrix products: no complex numbers, which ONNX does not know.
        assert not {node.op_type for node in onnx.load(result.path).graph.node} & {"DFT", "STFT"}
    elif format == "exported":
        with result.path.open("rb") as file:
            actual = torch.export.load(file).module()(x)
    else:
        other = vision()
        other.load_state_dict(load_file(result.path))
        actual = other(x)
    torch.testing.assert_close(actual, model(x).detach(), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("length", [20, 200])
def test_onnx_of_a_sequence_model_by_product_and_by_transform(length, tmp_path):
    model = wavezoo.create_sequence_model("wavepde_seq_tiny", vocab_size=9, num_classes=3, depth=1, dim=8).eval()
    x = torch.randint(0, 9, (3, length))
    path = export_model(model, x[:1], "onnx", tmp_path / "m.onnx").path
    torch.testing.assert_close(run_onnx(path, x), model(x).detach(), rtol=1e-4, atol=1e-5)


def test_an_exported_program_of_any_size(tmp_path):
    model = vision()
    result = export_model(model, torch.randn(1, 3, 64, 64), "exported", tmp_path / "m.pt2", "size")
    with result.path.open("rb") as file:
        program = torch.export.load(file).module()
    for shape in ((2, 3, 64, 64), (3, 3, 80, 47), (2, 3, *result.smallest)):
        x = torch.randn(*shape)
        torch.testing.assert_close(program(x), model(x), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", [pytest.param(each, marks=pytest.mark.slow) for each in timm.list_models("wavepde*")])
@pytest.mark.parametrize("format", FORMATS)
def test_every_model_exports(name, format, tmp_path):
    size = 64 if "_iso_" not in name else 32
    model = timm.create_model(name, dims=(8, 12, 16, 20), depths=(1, 1, 1, 1))
    result = export_model(model, torch.randn(1, 3, size, size), format, tmp_path / "model")
    assert result.difference < 1e-4
    assert result.path.is_file()


def test_a_file_that_computes_something_else_is_not_kept(tmp_path, monkeypatch):
    def spoilt(model, example, dynamic):
        return export.Written(b"spoilt", lambda path: lambda x: model(x) * 1.01)

    monkeypatch.setitem(export.WRITERS, "exported", spoilt)
    (tmp_path / "model").write_text("former")
    with pytest.raises(wavezoo.WavezooError, match="computes something else than the model"):
        export_model(vision(), torch.randn(1, 3, 32, 32), "exported", tmp_path / "model")
    assert [(each.name, each.read_text()) for each in tmp_path.iterdir()] == [("model", "former")]


def test_a_model_that_torch_cannot_export(tmp_path, monkeypatch):
    monkeypatch.setattr(WaveMixer, "forward", lambda self, x: x if x.sum() > 0 else -x)
    with pytest.raises(wavezoo.WavezooError, match="torch cannot export this model"):
        export_model(vision(), torch.randn(1, 3, 32, 32), "exported", tmp_path / "model")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("format", FORMATS)
def test_a_full_disk_is_one_message(format, tmp_path, monkeypatch):
    def full(self, data):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pathlib.Path.write_bytes", full)
    with pytest.raises(wavezoo.WavezooError, match="No space left on device"):
        export_model(vision(), torch.randn(1, 3, 32, 32), format, tmp_path / "model", "none")
    assert not list(tmp_path.iterdir())


def test_what_the_converter_to_onnx_raises_is_one_message(tmp_path, monkeypatch):
    def fail(*arguments, **options):
        raise KeyError("aten.nonsense")

    monkeypatch.setattr("torch.onnx.export", fail)
    with pytest.raises(wavezoo.WavezooError, match="ONNX cannot hold this model: KeyError"):
        export_model(vision(), torch.randn(1, 3, 32, 32), "onnx", tmp_path / "model", "none")


def test_onnxruntime_is_not_installed(tmp_path, monkeypatch):
    found = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "onnxruntime" else found(name))
    with pytest.raises(
        wavezoo.WavezooError, match=r"ONNX needs onnxruntime; install with: pip install 'wavezoo\[export\]'"
    ):
        export_model(nn.Identity(), torch.zeros(1, 3, 32, 32), "onnx", tmp_path / "model")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["wavepde_pic"], "nearest first: wavepde_pico"),
        (["wavepde_pico", "--format", "onx"], "nearest first: onnx"),
        (["wavepde_pico", "--dynamic", "sizes"], "nearest first: size"),
        (["wavepde_pico", "--dynamic", "size"], "--format exported"),
        (["wavepde_pico", "--out", "nowhere/model"], "folder 'nowhere' does not exist"),
        (["wavepde_pico", "--out", "."], "is a folder"),
        (["wavepde_pico", "--set", "num_clases=3"], "the nearest it knows: num_classes"),
        (["wavepde_pico", "--set", "num_classes"], "not of the form key=value"),
        (["wavepde_pico", "--set", "steps=["], "--set steps=[: not YAML"),
        (["wavepde_pico", "--set", "a.b=1"], "no dots"),
        (["wavepde_pico", "--set", "pretrained=true"], "no pretrained weights"),
        (["wavepde_pico", "--set", "img_size=x"], "img_size"),
        (["wavepde_pico", "--set", "in_chans=0"], "in_chans"),
        (["wavepde_pico", "--set", "device=foo"], "exported on the CPU"),
        (["wavepde_pico", "--set", "dims=[a, b]"], "dims"),
        (["wavepde_pico", "--size", "100000000000"], "export with a smaller one"),
        (["wavepde_pico", "--out", "x" * 300], "File name too long"),
        (["~nosuchuser"], "model or run folder is"),
        (["wavepde_pico", "--weights", "nothing"], "missing, damaged or no safetensors file"),
        (["wavepde_pico", "--size", "16"], "too small"),
        (["wavepde_pico", "--size", "0"], "size is 0"),
        (["wavepde_seq_tiny"], "give in_features for sequences of numbers"),
        (["."], "is no run folder"),
        ([".", "--set", "steps=3"], "those of its recipe"),
    ],
)
def test_every_mistake_is_one_message(arguments, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    out = [] if "--out" in arguments else ["--out", "model"]
    monkeypatch.setattr("sys.argv", ["wavezoo", "export", *arguments, *out])
    with pytest.raises(SystemExit) as stopped:
        cli.main()
    assert stopped.value.code == 2
    assert message in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_a_sequence_model_by_name(tmp_path):
    options = ["--set", "vocab_size=9", "--set", "dim=8", "--set", "depth=1", "--size", "30"]
    out = ["--format", "safetensors", "--out", str(tmp_path / "s.safetensors")]
    result = CliRunner().invoke(cli.app, ["export", "wavepde_seq_tiny", *options, *out])
    assert result.exit_code == 0, result.output
    assert "random weights" in result.output
    again = CliRunner().invoke(
        cli.app, ["export", "wavepde_seq_tiny", *options, *out, "--weights", str(tmp_path / "s.safetensors")]
    )
    assert again.exit_code == 0, again.output
