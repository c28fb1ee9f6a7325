"""What a run leaves behind, each file written beside and renamed."""

import csv
import json
import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from pydantic import TypeAdapter, ValidationError
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import nn

from wavezoo.config.recipe import Recipe, dump_recipe, load_recipe
from wavezoo.data import Facts
from wavezoo.errors import WavezooError
from wavezoo.files import writing

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
    """A folder with a run's recipe, the facts of its data, its metrics, weights, checkpoints and summary.

    ``recipe.yaml``, ``dataset.json``, ``metrics.jsonl``, ``last.safetensors``, ``best.safetensors``,
    ``checkpoint-*.pt``; at the end ``summary.json``, ``confusion.csv`` and, with matplotlib, ``curves.png``.

    Args:
        path: where it is, or will be.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def check_free(self) -> None:
        """Raise WavezooError if there is something at the path already, or if nothing can be written there."""
        if self.path.exists() and not (self.path.is_dir() and not any(self.path.iterdir())):
            hint = f", continue it with --resume {self.path}" if (self.path / "recipe.yaml").is_file() else ""
            raise WavezooError(
                f"the run folder {self.path} exists already. Name another with --out{hint}, or remove it."
            )
        parent = next(each for each in self.path.absolute().parents if each.exists())
        if not parent.is_dir() or not os.access(parent, os.W_OK):
            raise WavezooError(f"the run folder {self.path} cannot be made in {parent}. Name another with --out.")

    def create(self, recipe: Recipe, facts: Facts) -> None:
        """Make the folder and put the resolved recipe and the facts of the data into it."""
        self.write_recipe(recipe)
        self._write("dataset.json", json.dumps(asdict(facts), indent=2) + "\n")

    def write_recipe(self, recipe: Recipe) -> None:
        """Write ``recipe.yaml``."""
        self._write("recipe.yaml", dump_recipe(recipe))

    def write_metrics(self, metrics: Sequence[Mapping[str, Any]]) -> None:
        """Write ``metrics.jsonl``, a line for each evaluation."""
        self._write("metrics.jsonl", "".join(f"{json.dumps(each)}\n" for each in metrics))

    def write_summary(self, summary: Mapping[str, Any]) -> None:
        """Write ``summary.json``."""
        self._write("summary.json", json.dumps(summary, indent=2) + "\n")

    def write_confusion(self, classes: Sequence[str], counts: Sequence[Sequence[int]]) -> None:
        """Write ``confusion.csv``: rows are true classes, columns what the model said."""
        with writing(self.path / "confusion.csv") as beside, beside.open("w", newline="", encoding="utf-8") as file:
            rows = csv.writer(file)
            rows.writerow(["true class", *classes])
            rows.writerows([name, *row] for name, row in zip(classes, counts, strict=True))

    def save_weights(self, weights: Mapping[str, torch.Tensor], which: str) -> None:
        """Write weights as ``last`` or ``best``."""
        with writing(self.path / f"{which}.safetensors") as beside:
            save_file({name: value.contiguous() for name, value in weights.items()}, beside)

    def remove_leavings(self) -> None:
        """Remove what a killed process was writing."""
        for file in self.path.glob(".*.part"):
            file.unlink()

    def read_recipe(self, overrides: Sequence[str] = ()) -> Recipe:
        """Return the recipe of the run.

        Raises:
            WavezooError: if this is no run folder.
        """
        file = self.path / "recipe.yaml"
        if not file.is_file():
            raise WavezooError(f"{self.path} is no run folder: it has no recipe.yaml.")
        return load_recipe(file, overrides)

    def read_facts(self) -> Facts:
        """Return the facts of the data that the run was trained on.

        Raises:
            WavezooError: if they are missing or damaged.
        """
        file = self.path / "dataset.json"
        try:
            return TypeAdapter(Facts).validate_json(file.read_bytes())
        except (OSError, ValidationError) as error:
            reason = str(error).splitlines()[0]
            raise WavezooError(
                f"{file} is missing or damaged ({reason}); without it {self.path} cannot be read."
            ) from None

    def read_summary(self) -> dict[str, Any] | None:
        """Return what ``summary.json`` holds, None if the run has not ended.

        Raises:
            WavezooError: if it is damaged.
        """
        return self._read_json("summary.json", None)

    def read_metrics(self) -> list[dict[str, Any]]:
        """Return what ``metrics.jsonl`` holds.

        Raises:
            WavezooError: if it is damaged.
        """
        file = self.path / "metrics.jsonl"
        try:
            return (
                [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()] if file.is_file() else []
            )
        except (OSError, ValueError) as error:
            raise WavezooError(f"{file} is damaged ({error}).") from error

    def load_weights(self, model: nn.Module, which: str) -> None:
        """Load the weights called ``which`` into ``model``.

        Raises:
            WavezooError: if they are missing, damaged, or those of another model.
        """
        file = self.path / f"{which}.safetensors"
        if not file.is_file():
            raise WavezooError(f"{self.path} has no {file.name}: the run ended before it saved any weights.")
        load_weights(model, file)

    def _read_json(self, name: str, default: Any) -> Any:
        file = self.path / name
        try:
            return json.loads(file.read_text(encoding="utf-8")) if file.is_file() else default
        except (OSError, ValueError) as error:
            raise WavezooError(f"{file} is damaged ({error}).") from error

    def _write(self, name: str, text: str) -> None:
        with writing(self.path / name) as beside:
            beside.write_text(text, encoding="utf-8")


def versions() -> dict[str, str]:
    """Return the versions of what a result depends on."""
    packages = {name: version(name) for name in ("wavezoo", "timm", "accelerate")}
    return {"python": platform.python_version(), "torch": torch.__version__, **packages}
