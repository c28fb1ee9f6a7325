"""From what a user names to a model that can be exported: a run folder, or a model with options and weights."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from wavezoo.config.documents import parse_override
from wavezoo.data import ImageFacts, SequenceFacts
from wavezoo.errors import WavezooError, not_allowed
from wavezoo.files import is_folder
from wavezoo.models.image import WavePDE
from wavezoo.models.registry import create_model
from wavezoo.models.sequence import WavePDESequence
from wavezoo.plugins.registry import registry
from wavezoo.train import load_run, load_weights

LENGTH = 128
MOST_NUMBERS = 2**28
RESERVED = {
    "pretrained": "there are no pretrained weights; --weights FILE loads your own",
    "pretrained_cfg": "there are no pretrained weights; --weights FILE loads your own",
    "checkpoint_path": "--weights FILE loads weights",
    "device": "models are exported on the CPU",
    "dtype": "models are exported in float32",
    "scriptable": "models are exported as programs",
    "exportable": "models are exported in any case",
    "no_jit": "models are exported in any case",
}


def model_and_example(
    source: str, weights: str | None, options: list[str], size: int | None
) -> tuple[nn.Module, Tensor, str]:
    """Return a model, an input for it, and what it is in words.

    Args:
        source: a run folder, or the name of an image or sequence model.
        weights: ``"last"`` (the default) or ``"best"`` of a run; a safetensors file for a named model, whose weights
            are random without.
        options: ``key=value`` arguments of a named model, values in YAML.
        size: side of the image, or length of the sequence; by default the data set's, the model's, or 128.

    Raises:
        WavezooError: if there is no such run or model, or if options or weights do not fit it.
    """
    if size is not None and size < 1:
        raise WavezooError(f"size is {size!r}; give a number of pixels or elements, at least 1.")
    generator = torch.Generator().manual_seed(0)
    names = list(registry.models())
    if source not in names:
        if not is_folder(source):
            raise not_allowed("model or run folder", source, names)
        if options:
            raise WavezooError(f"--set {options[0]}: the options of a run are those of its recipe. Leave it out.")
        which = weights or "last"
        model, _, facts, _ = load_run(Path(source), which)
        said = f"the {which} weights of {source}"
        size = size or (facts.length if isinstance(facts, SequenceFacts) else None)
        if isinstance(facts, ImageFacts):
            size = size or (facts.size if isinstance(model, WavePDE) else facts.size**2)
        return model, _example(model, size, generator), said
    model = _named(source, _parsed(options))
    if weights is not None:
        load_weights(model, Path(weights))
    said = f"{source} with {'random weights' if weights is None else f'the weights of {weights}'}"
    return model, _example(model, size, generator), said


def _example(model: Any, size: int | None, generator: torch.Generator) -> Tensor:
    if isinstance(model, WavePDESequence):
        length = size or min(LENGTH, model.max_length or LENGTH)
        _check_size(size, length * (model.in_features or 1))
        if model.vocab_size is not None:
            return torch.randint(model.vocab_size, (1, length), generator=generator)
        return torch.randn(1, length, model.in_features or 1, generator=generator)
    _, height, width = model.pretrained_cfg["input_size"]
    _check_size(size, model.in_chans * (size or height) * (size or width))
    return torch.randn(1, model.in_chans, size or height, size or width, generator=generator)


def _check_size(size: int | None, numbers: int) -> None:
    if numbers > MOST_NUMBERS:
        raise WavezooError(f"size is {size!r}: an input of {numbers:,} numbers; export with a smaller one.")


def _named(name: str, options: Mapping[str, Any]) -> Any:
    for option in options:
        if option in RESERVED:
            raise WavezooError(f"--set {option}: {RESERVED[option]}. Leave it out.")
    torch.manual_seed(0)
    try:
        return create_model(name, **options)
    except WavezooError:
        raise
    # What a model does not expect of its options, it meets as it is built.
    except Exception as error:
        if not options:
            raise
        said = ", ".join(f"{option}={value!r}" for option, value in options.items())
        raise WavezooError(
            f"--set: {name} cannot be built with {said}: {error}. `wavezoo describe {name}` lists the options."
        ) from error


def _parsed(options: list[str]) -> dict[str, Any]:
    parsed = {}
    for option in options:
        keys, value = parse_override(option)
        if len(keys) > 1:
            raise WavezooError(f"--set {option}: the options of a model have no dots in their names.")
        parsed[keys[0]] = value
    return parsed
