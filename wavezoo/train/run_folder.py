"""What a run leaves behind: recipe, metrics, summary and weights, each written beside and renamed."""

import json
import os
import platform
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import nn

from wavezoo.errors import WavezooError
from wavezoo.recipe import Recipe, dump_recipe, load_recipe

WEIGHTS = ("last", "best")


def load_weights(model: nn.Module, file: Path) -> None:
    """Load the weights of a safetensors file into ``model``.

    Raises:
        WavezooError: if the file is missing, damaged, or holds those of another model.
    """
    try:
        model.load_state_dict(load_file(file))
    except (SafetensorError, OSError) as error:
        raise WavezooError(f"{file} is missing, damaged or no safetensors file ({error}).") from error
    except RuntimeError as error:
        reason = str(error).splitlines()[1].strip() if "\n" in str(error) else str(error)
        raise WavezooError(f"{file} does not fit the model: {reason}") from error


class RunFolder:
    """A folder with ``recipe.yaml``, ``metrics.jsonl``, ``summary.json``, ``last.safetensors``, ``best.safetensors``.

    Args:
        path: where it is, or will be.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._metrics: list[str] = []

    def check_free(self) -> None:
        """Raise WavezooError if there is something at the path already, or if nothing can be written there."""
        if self.path.exists() and not (self.path.is_dir() and not any(self.path.iterdir())):
            raise WavezooError(f"the run folder {self.path} exists already. Name another with --out, or remove it.")
        parent = next(each for each in self.path.absolute().parents if each.exists())
        if not parent.is_dir() or not os.access(parent, os.W_OK):
            raise WavezooError(f"the run folder {self.path} cannot be made in {parent}. Name another with --out.")

    def create(self, recipe: Recipe) -> None:
        """Make the folder and put the resolved recipe into it."""
        with self._writing():
            self.path.mkdir(parents=True, exist_ok=True)
        self._write("recipe.yaml", dump_recipe(recipe))

    def add_metrics(self, metrics: Mapping[str, Any]) -> None:
        """Add a line to ``metrics.jsonl``."""
        self._metrics.append(json.dumps(metrics))
        self._write("metrics.jsonl", "".join(f"{line}\n" for line in self._metrics))

    def write_summary(self, summary: Mapping[str, Any]) -> None:
        """Write ``summary.json``."""
        self._write("summary.json", json.dumps(summary, indent=2) + "\n")

    def save_weights(self, model: nn.Module, which: str) -> None:
        """Write the weights of ``model`` as ``last`` or ``best``."""
        beside = self.path / f".{which}.safetensors.part"
        with self._writing():
            save_file({name: value.contiguous() for name, value in model.state_dict().items()}, beside)
            beside.replace(self.path / f"{which}.safetensors")

    def read_recipe(self) -> Recipe:
        """Return the recipe of the run.

        Raises:
            WavezooError: if this is no run folder.
        """
        file = self.path / "recipe.yaml"
        if not file.is_file():
            raise WavezooError(f"{self.path} is no run folder: it has no recipe.yaml.")
        return load_recipe(file)

    def load_weights(self, model: nn.Module, which: str) -> None:
        """Load the weights called ``which`` into ``model``.

        Raises:
            WavezooError: if they are missing, damaged, or those of another model.
        """
        file = self.path / f"{which}.safetensors"
        if not file.is_file():
            raise WavezooError(f"{self.path} has no {file.name}: the run ended before it saved any weights.")
        load_weights(model, file)

    def _write(self, name: str, text: str) -> None:
        beside = self.path / f".{name}.part"
        with self._writing():
            beside.write_text(text, encoding="utf-8")
            beside.replace(self.path / name)

    @contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except (OSError, SafetensorError) as error:
            raise WavezooError(
                f"the run folder {self.path} cannot be written: {error}. Make room, or name another folder with "
                "--out; what was saved before is still there."
            ) from error


def versions() -> dict[str, str]:
    """Return the versions of what a result depends on."""
    packages = {name: version(name) for name in ("wavezoo", "timm", "accelerate")}
    return {"python": platform.python_version(), "torch": torch.__version__, **packages}
