"""Models that leave: weights, torch's exported programs and ONNX, each checked against the model before it is kept."""

import copy
import importlib.util
import tempfile
import warnings
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout, suppress
from io import StringIO
from pathlib import Path
from typing import NamedTuple

import torch
from safetensors.torch import load_file, save
from torch import Tensor, nn
from torch.export import Dim

from wavezoo.errors import WavezooError, not_allowed
from wavezoo.wave.laplacians.base import Laplacian

FORMATS = ("onnx", "exported", "safetensors")
DYNAMIC = ("none", "batch", "size")
ONNX_PACKAGES = ("onnx", "onnxscript", "onnxruntime")
# The same operations in another order: as many rounding errors as a deep network adds up.
ROUNDING_UNITS = 1e4


class Exported(NamedTuple):
    """What came of an export.

    Attributes:
        path: the file.
        size: its size in bytes.
        difference: the largest difference between the file's outputs and the model's, in units of the largest output.
    """

    path: Path
    size: int
    difference: float


def export_model(model: nn.Module, example: Tensor, format: str, path: Path, dynamic: str = "batch") -> Exported:
    """Write a model to a file, run the file, and keep it if its outputs are the model's.

    Args:
        model: the model, on the CPU; exported as in evaluation.
        example: an input.
        format: ``"onnx"``; ``"exported"`` for torch's exported program; ``"safetensors"`` for the weights alone.
        path: the file; an older one is replaced once the new one has been checked.
        dynamic: what may differ from ``example``: ``"none"``, the ``"batch"``, or for an exported program of an image
            model the ``"size"`` too. Weights have no size; it does not matter for them.

    Raises:
        WavezooError: if the file cannot be written, if a package is missing, if the model cannot be exported so, or if
            the file computes something else.
    """
    if format not in FORMATS:
        raise not_allowed("format", format, FORMATS)
    if dynamic not in DYNAMIC:
        raise not_allowed("dynamic", dynamic, DYNAMIC)
    if dynamic == "size" and (format == "onnx" or example.ndim != 4):
        raise WavezooError(
            'dynamic="size" is for exported programs of image models; use --format exported, or --dynamic batch.'
        )
    if not path.parent.is_dir():
        raise WavezooError(f"{path} cannot be written: the folder {path.parent} does not exist. Make it first.")
    if path.is_dir():
        raise WavezooError(f"{path} is a folder; name a file in it.")
    missing = [name for name in ONNX_PACKAGES if importlib.util.find_spec(name) is None]
    if format == "onnx" and missing:
        raise WavezooError(f"ONNX needs {', '.join(missing)}; install with: pip install 'wavezoo[export]'.")
    model = copy.deepcopy(model).eval()
    examples = [example]
    if dynamic != "none":
        # A batch of one would be taken for a constant.
        example = torch.cat([example, example.flip(1)]) if len(example) == 1 else example
        examples = [example, torch.cat([example, example.roll(1, 1)])]
    if dynamic == "size":
        examples.append(nn.functional.interpolate(example, scale_factor=1.5))
    with torch.no_grad():
        expected = [model(each) for each in examples]
    try:
        with tempfile.TemporaryDirectory(dir=path.parent, prefix=f".{path.name}.") as folder:
            beside = Path(folder) / path.name
            run = WRITERS[format](model, example, beside, dynamic)
            difference = max(_difference(run(each).detach(), y) for each, y in zip(examples, expected, strict=True))
            if not difference <= ROUNDING_UNITS * torch.finfo(expected[0].dtype).eps:
                raise WavezooError(
                    f"the {format} file computes something else than the model: its outputs differ by {difference:.1e} "
                    "of the largest. It was not kept."
                )
            beside.replace(path)
    except OSError as error:
        raise WavezooError(f"{path} cannot be written: {error.strerror or error}.") from error
    return Exported(path, path.stat().st_size, difference)


def _write_safetensors(model: nn.Module, example: Tensor, path: Path, dynamic: str) -> Callable[[Tensor], Tensor]:
    path.write_bytes(save({name: value.contiguous() for name, value in model.state_dict().items()}))
    with torch.no_grad():
        for value in model.state_dict().values():
            value.zero_()
    model.load_state_dict(load_file(path))
    return torch.no_grad()(model)


def _write_exported(model: nn.Module, example: Tensor, path: Path, dynamic: str) -> Callable[[Tensor], Tensor]:
    if dynamic == "size":
        _use_matrix_products(model)
    # The exporter knows files by their suffix.
    torch.export.save(_program(model, example, dynamic), written := path.with_name("program.pt2"))
    written.replace(path)
    with path.open("rb") as file:
        return torch.no_grad()(torch.export.load(file).module())


def _write_onnx(model: nn.Module, example: Tensor, path: Path, dynamic: str) -> Callable[[Tensor], Tensor]:
    import onnxruntime

    if example.ndim == 4:
        # ONNX knows no complex numbers, and many that run it no Fourier transforms. Sequences may be too long.
        _use_matrix_products(model)
    program = _program(model, example, dynamic)
    with redirect_stdout(StringIO()), redirect_stderr(StringIO()), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(program, (example,), path, dynamo=True, external_data=False, verbose=False)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return lambda x: torch.from_numpy(session.run(None, {name: x.numpy()})[0])


WRITERS: dict[str, Callable[[nn.Module, Tensor, Path, str], Callable[[Tensor], Tensor]]] = {
    "onnx": _write_onnx,
    "exported": _write_exported,
    "safetensors": _write_safetensors,
}


def _program(model: nn.Module, example: Tensor, dynamic: str) -> torch.export.ExportedProgram:
    axes = {"none": (), "batch": (0,), "size": (0, 2, 3)}[dynamic]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return torch.export.export(model, (example,), dynamic_shapes=(dict.fromkeys(axes, Dim.AUTO),))
    except Exception as error:  # Exporting runs a compiler, which may raise anything.
        reason = str(error).strip().partition("\n")[0]
        raise WavezooError(f"torch cannot export this model: {type(error).__name__}: {reason}") from error


def _use_matrix_products(model: nn.Module) -> None:
    for module in model.modules():
        # One that cannot do without them exports as Fourier transforms, which some that run ONNX know.
        if isinstance(module, Laplacian):
            with suppress(WavezooError):
                module.as_products()


def _difference(actual: Tensor, expected: Tensor) -> float:
    return float((actual - expected).abs().max() / expected.abs().max().clamp(min=1e-12))
