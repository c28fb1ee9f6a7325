"""The command that lets a trained language model go on with a text."""

from pathlib import Path
from typing import Annotated

import typer

from wavezoo.cli.options import Device, Plugins, load_plugins
from wavezoo.cli.output import PatientOutput
from wavezoo.errors import WavezooError

# What stands for bytes that are no character, or not yet.
INCOMPLETE = "�"


def sample(
    run: Annotated[Path, typer.Argument(help="A run folder of the task language.")],
    prompt: Annotated[str, typer.Option(help="The text to go on with.")] = "\n",
    length: Annotated[int, typer.Option(help="The number of tokens to draw.")] = 500,
    temperature: Annotated[float, typer.Option(help="0 for the likeliest token always; more for more surprise.")] = 1.0,
    top_k: Annotated[int | None, typer.Option(help="Draw from so many of the likeliest tokens only.")] = None,
    top_p: Annotated[
        float | None, typer.Option(help="Draw from the likeliest tokens of this probability together only.")
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Decides what is drawn; another one each time by default.")] = None,
    weights: Annotated[str, typer.Option(help="last or best.")] = "last",
    plugin: Plugins = None,
    device: Device = "auto",
) -> None:
    """Go on with a text, as a run has learned to; it is printed as it is drawn."""
    import torch

    from wavezoo.data import TextFacts
    from wavezoo.data.text.tokenizers import from_json
    from wavezoo.devices import find_device
    from wavezoo.models.language import WavePDELanguage
    from wavezoo.models.sampling import Sampling
    from wavezoo.train import load_run

    load_plugins(plugin)
    model, _, facts, _ = load_run(run, weights)
    if not isinstance(model, WavePDELanguage) or not isinstance(facts, TextFacts):
        raise WavezooError(f"{run} is no run of a language model, such as wavepde_lm_tiny, so it draws no text.")
    tokenizer = from_json(facts.tokenizer)
    tokens = tokenizer.encode(prompt)
    if not len(tokens):
        raise WavezooError("the prompt is empty; give one character or more.")
    place = find_device(device)
    model.to(place)
    start = torch.from_numpy(tokens.astype("int64"))[None].to(place)
    output, said, drawn = PatientOutput(), "", list[int]()
    output.write(prompt)
    for token in model.stream(start, length, Sampling(temperature, top_k, top_p, seed)):
        drawn.append(int(token))
        text = tokenizer.decode(drawn)
        # A character of several bytes is printed when it is whole.
        if not text.endswith(INCOMPLETE):
            output.write(text[len(said) :])
            output.flush()
            # Of what came before, the last token alone may change what a new one stands for.
            drawn, said = drawn[-1:], tokenizer.decode(drawn[-1:])
    output.write("\n")
    output.flush()
