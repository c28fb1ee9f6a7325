"""From what a user names to a model that can be exported: a run folder, or a model with options and weights."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
import yaml
from torch import Tensor, nn

from wavezoo.data import ImageFacts, SequenceFacts
from wavezoo.errors import WavezooError, not_allowed
from wavezoo.models.registry import create_model
from wavezoo.models.sequence import WavePDESequence
from wavezoo.models.wavepde import WavePDE
from wavezoo.plugins.registry import registry
from wavezoo.train import load_run, load_weights

LENGTH = 128


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
        if not Path(source).is_dir():
            raise not_allowed("model or run folder", source, names)
        if options:
            raise WavezooError(f"--set {options[0]}: the options of a run are those of its recipe. Leave it out.")
        which = weights or "last"
        model, _, facts = load_run(Path(source), which)
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
        if model.vocab_size is not None:
            return torch.randint(model.vocab_size, (1, length), generator=generator)
        return torch.randn(1, length, model.in_features or 1, generator=generator)
    _, height, width = model.pretrained_cfg["input_size"]
    return torch.randn(1, model.in_chans, size or height, size or width, generator=generator)


def _named(name: str, options: Mapping[str, Any]) -> Any:
    torch.manual_seed(0)
    try:
        return create_model(name, **options)
    except TypeError as error:
        raise WavezooError(f"--set: {error}. `wavezoo describe {name}` lists the options.") from error


def _parsed(options: list[str]) -> dict[str, Any]:
    parsed = {}
    for option in options:
        key, separator, text = option.partition("=")
        if not separator or not key.isidentifier():
            raise WavezooError(f"--set {option!r} is not of the form key=value, such as num_classes=10.")
        try:
            parsed[key] = yaml.safe_load(text)
        except yaml.YAMLError as error:
            raise WavezooError(f"--set {option}: {text!r} is not a YAML value.") from error
    return parsed
