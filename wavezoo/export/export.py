"""Models that leave: weights, torch's exported programs and ONNX, each checked against the model before it is kept."""

import copy
import importlib.util
import io
import warnings
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout, suppress
from pathlib import Path
from typing import NamedTuple

import torch
from safetensors.torch import load, save
from torch import Tensor, nn
from torch.export import Dim, ExportedProgram

from wavezoo.errors import WavezooError, require_choice
from wavezoo.files import find_folder, find_path, is_folder, writing
from wavezoo.wave.laplacians.base import Laplacian

FORMATS = ("onnx", "exported", "safetensors")
DYNAMIC = ("none", "batch", "size")
ONNX_PACKAGES = ("onnx", "onnxscript", "onnxruntime")
# The same operations in another order: as many rounding errors as a deep network adds up.
ROUNDING_UNITS = 1e4

Run = Callable[[Tensor], Tensor]


class Exported(NamedTuple):
    """What came of an export.

    Attributes:
        path: the file.
        size: its size in bytes.
        difference: the largest difference between the file's outputs and the model's, in units of the largest output.
        smallest: the smallest height and width that the program takes, where they may differ from the example's.
    """

    path: Path
    size: int
    difference: float
    smallest: tuple[int, int] | None = None


class Written(NamedTuple):
    """A model in a format: the content of the file, what runs a file with it, and `Exported.smallest`."""

    content: bytes
    run: Callable[[Path], Run]
    smallest: tuple[int, int] | None = None


def export_model(model: nn.Module, example: Tensor, format: str, path: Path, dynamic: str = "batch") -> Exported:
    """Write a model to a file, run the file, and keep it if its outputs are the model's.

    Args:
        model: the model, on the CPU; exported as in evaluation.
        example: an input.
        format: ``"onnx"``; ``"exported"`` for torch's exported program; ``"safetensors"`` for the weights alone.
        path: the file; an older one is replaced once the new one has been checked.
        dynamic: what may differ from ``example``: ``"none"``, the ``"batch"``, or for an exported program of an image
            model the ``"size"`` too, down to `Exported.smallest`. Weights have no size; it does not matter for them.

    Raises:
        WavezooError: if the file cannot be written, if a package is missing, if the model cannot be exported so, or if
            the file computes something else.
    """
    _check(format, dynamic, example, path)
    model = copy.deepcopy(model).eval()
    examples = _examples(example, dynamic)
    with torch.no_grad():
        expected = [model(each) for each in examples]
    written = WRITERS[format](model, examples[0], dynamic)
    with writing(path) as beside:
        beside.write_bytes(written.content)
        run = written.run(beside)
        difference = max(_difference(run(each).detach(), y) for each, y in zip(examples, expected, strict=True))
        if not difference <= ROUNDING_UNITS * torch.finfo(expected[0].dtype).eps:
            raise WavezooError(
                f"the {format} file computes something else than the model: its outputs differ by {difference:.1e} "
                "of the largest. It was not kept."
            )
    return Exported(path, path.stat().st_size, difference, written.smallest)


def _check(format: str, dynamic: str, example: Tensor, path: Path) -> None:
    require_choice("format", format, FORMATS)
    require_choice("dynamic", dynamic, DYNAMIC)
    if dynamic == "size" and (format == "onnx" or example.ndim != 4):
        raise WavezooError(
            'dynamic="size" is for exported programs of image models; use --format exported, or --dynamic batch.'
        )
    find_path(path, "file")
    find_folder(path.parent, "folder")
    if is_folder(path):
        raise WavezooError(f"{path} is a folder; name a file in it.")
    missing = [name for name in ONNX_PACKAGES if importlib.util.find_spec(name) is None]
    if format == "onnx" and missing:
        raise WavezooError(f"ONNX needs {', '.join(missing)}; install with: pip install 'wavezoo[export]'.")


def _examples(example: Tensor, dynamic: str) -> list[Tensor]:
    """Return inputs to compare outputs on; the first is the one to export with."""
    if dynamic == "none":
        return [example]
    # A batch of one would be taken for a constant.
    example = torch.cat([example, example.flip(1)]) if len(example) == 1 else example
    examples = [example, torch.cat([example, example.roll(1, 1)])]
    if dynamic == "size":
        examples.append(nn.functional.interpolate(example, scale_factor=1.5))
    return examples


def _safetensors(model: nn.Module, example: Tensor, dynamic: str) -> Written:
    def run(path: Path) -> Run:
        with torch.no_grad():
            for value in model.state_dict().values():
                value.zero_()
        model.load_state_dict(load(path.read_bytes()))
        return torch.no_grad()(model)

    return Written(save({name: value.contiguous() for name, value in model.state_dict().items()}), run)


def _exported(model: nn.Module, example: Tensor, dynamic: str) -> Written:
    if dynamic == "size":
        _use_matrix_products(model)
    program = _program(model, example, dynamic)
    # Torch aborts the process where its own writer meets a full disk.
    torch.export.save(program, content := io.BytesIO())

    def run(path: Path) -> Run:
        return torch.no_grad()(torch.export.load(io.BytesIO(path.read_bytes())).module())

    return Written(content.getvalue(), run, _smallest(program) if dynamic == "size" else None)


def _onnx(model: nn.Module, example: Tensor, dynamic: str) -> Written:
    import onnxruntime

    if example.ndim == 4:
        # ONNX knows no complex numbers, and many that run it no Fourier transforms. Sequences may be too long.
        _use_matrix_products(model)
    program = _program(model, example, dynamic)
    try:
        with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            exported = torch.onnx.export(program, (example,), dynamo=True, external_data=False, verbose=False)
            content = exported.model_proto.SerializeToString() if exported is not None else b""
    # The converter to ONNX may raise anything too.
    except Exception as error:
        raise _cannot("ONNX cannot hold this model", error) from error

    def run(path: Path) -> Run:
        try:
            session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
        except Exception as error:
            raise _cannot("onnxruntime cannot run this model", error) from error
        name = session.get_inputs()[0].name
        return lambda x: torch.from_numpy(session.run(None, {name: x.numpy()})[0])

    return Written(content, run)


WRITERS: dict[str, Callable[[nn.Module, Tensor, str], Written]] = {
    "onnx": _onnx,
    "exported": _exported,
    "safetensors": _safetensors,
}


def _program(model: nn.Module, example: Tensor, dynamic: str) -> ExportedProgram:
    axes = {"none": (), "batch": (0,), "size": (0, 2, 3)}[dynamic]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return torch.export.export(model, (example,), dynamic_shapes=(dict.fromkeys(axes, Dim.AUTO),))
    except Exception as error:  # Exporting runs a compiler, which may raise anything.
        raise _cannot("torch cannot export this model", error) from error


def _smallest(program: ExportedProgram) -> tuple[int, int]:
    """Return the smallest height and width of an image: torch takes what once was 1 for a constant."""
    placeholder = next(node for node in program.graph.nodes if node.name in program.graph_signature.user_inputs)
    _, _, height, width = placeholder.meta["val"].shape
    lower = {str(symbol): int(bounds.lower) for symbol, bounds in program.range_constraints.items()}
    return lower.get(str(height), int(height.node.hint)), lower.get(str(width), int(width.node.hint))


def _use_matrix_products(model: nn.Module) -> None:
    for module in model.modules():
        # One that cannot do without them exports as Fourier transforms, which some that run ONNX know.
        if isinstance(module, Laplacian):
            with suppress(WavezooError):
                module.as_products()


def _cannot(what: str, error: Exception) -> WavezooError:
    return WavezooError(f"{what}: {type(error).__name__}: {str(error).strip().partition(chr(10))[0]}")


def _difference(actual: Tensor, expected: Tensor) -> float:
    return float((actual - expected).abs().max() / expected.abs().max().clamp(min=1e-12))
