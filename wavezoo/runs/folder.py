"""What a run leaves behind: a folder made whole, locked while in use, each file written beside and renamed."""

import glob
import json
import os
import platform
import shutil
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path

import torch
from pydantic import TypeAdapter, ValidationError
from safetensors import SafetensorError
from safetensors.torch import load_model, save_file
from torch import nn

from wavezoo.config.documents import read_document
from wavezoo.config.recipe import Recipe, dump_recipe, load_recipe
from wavezoo.data import Facts
from wavezoo.errors import WavezooError
from wavezoo.files import find_path, is_file, is_folder, writing
from wavezoo.runs.lock import LOCK, FolderLock, in_use, locked
from wavezoo.runs.records import FORMAT, Measurement, Summary, as_json, check_format, read_record

WEIGHTS = ("last", "best")
RECIPE, FACTS, METRICS, SUMMARY = "recipe.yaml", "dataset.json", "metrics.jsonl", "summary.json"
# A folder in the making is older than this only if the process that made it is gone.
MAKING_SECONDS = 60.0


def load_weights(model: nn.Module, file: Path) -> None:
    """Load the weights of a safetensors file into ``model``; parameters that it shares need be there once only.

    Raises:
        WavezooError: if the file is missing, damaged, or holds those of another model.
    """
    file = find_path(file, "weights")
    try:
        load_model(model, file)
    except (SafetensorError, OSError) as error:
        raise WavezooError(f"{file} is missing, damaged or no safetensors file ({error}).") from error
    except (RuntimeError, KeyError) as error:
        lines = [line.strip() for line in str(error).splitlines()]
        raise WavezooError(f"{file} does not fit the model: {' '.join(lines[1:3]) or lines[0]}") from error


class RunFolder:
    """A folder with a run's recipe, the facts of its data, its metrics, weights, checkpoints and summary.

    ``recipe.yaml``, ``dataset.json``, ``metrics.jsonl``, ``last.safetensors``, ``best.safetensors``,
    ``checkpoint-*.pt``; at the end ``summary.json``, what the task writes and, with matplotlib, ``curves.png``.

    Args:
        path: where it is, or will be.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def check_free(self) -> None:
        """Raise WavezooError if there is something at the path already, or if nothing can be written there."""
        if (self.path.exists() or self.path.is_symlink()) and not self._is_empty():
            raise self._taken()
        if self.path.exists() and self.path.samefile(Path.cwd()):
            raise WavezooError("the run folder is the one that you are in. Name another with --out, such as --out run.")
        parent = next(each for each in self.path.absolute().parents if each.exists())
        if not parent.is_dir() or not os.access(parent, os.W_OK | os.X_OK):
            raise WavezooError(f"the run folder {self.path} cannot be made in {parent}. Name another with --out.")

    @contextmanager
    def created(self, recipe: Recipe, facts: Facts) -> Iterator[None]:
        """Make the folder, with the resolved recipe and the facts of the data in it, and keep everybody else out.

        It is made beside and renamed: it is there whole, or not at all.

        Raises:
            WavezooError: if something is at the path by now, or if it cannot be written.
        """
        lock = FolderLock()
        self._make(lock, recipe, facts)
        try:
            yield
        finally:
            lock.release(self.path)

    @contextmanager
    def resumed(self) -> Iterator[None]:
        """Keep everybody else out of a folder that is there, and remove what a killed process left in it.

        Raises:
            WavezooError: if it is in use.
        """
        with locked(self.path):
            # The second are what the safetensors library writes to before it renames.
            for pattern in (".*.part", ".tmp*"):
                for leaving in self.path.glob(pattern):
                    with suppress(OSError):
                        leaving.unlink()
            yield

    @contextmanager
    def writing(self, name: str) -> Iterator[Path]:
        """Give a path to write the file called ``name`` to; it takes its place when it is complete.

        Raises:
            WavezooError: if it cannot be written, or if the folder has been removed.
        """
        self.require()
        with writing(self.path / name) as beside:
            yield beside

    def require(self) -> None:
        """Raise WavezooError if the folder is no longer there: it is never made anew without its recipe."""
        if not is_file(self.path / RECIPE):
            raise WavezooError(f"the run folder {self.path} has been removed or emptied while it was in use.")

    def write_metrics(self, metrics: Sequence[Measurement]) -> None:
        """Write ``metrics.jsonl``, a line for each evaluation."""
        self._write(METRICS, "".join(f"{as_json(each)}\n" for each in metrics))

    def write_summary(self, summary: Summary) -> None:
        """Write ``summary.json``."""
        self._write(SUMMARY, as_json(summary, indent=2) + "\n")

    def save_weights(self, weights: Mapping[str, torch.Tensor], which: str) -> None:
        """Write weights as ``last`` or ``best``; tensors that share memory are written once."""
        once: dict[tuple[int, torch.Size], str] = {}
        for name, value in weights.items():
            if value.numel():
                once.setdefault((value.data_ptr(), value.shape), name)
        kept = {name for name, value in weights.items() if not value.numel()} | set(once.values())
        with self.writing(f"{which}.safetensors") as beside:
            # A copy of what is a view of something larger.
            tensors = {name: value.contiguous().clone() for name, value in weights.items() if name in kept}
            save_file(tensors, beside, {"format": "pt", "wavezoo_format": str(FORMAT)})

    def read_recipe(self, overrides: Sequence[str] = ()) -> Recipe:
        """Return the recipe of the run.

        Raises:
            WavezooError: if this is no run folder, or one of another format.
        """
        file = self.path / RECIPE
        if not is_file(file):
            raise WavezooError(f"{self.path} is no run folder: it has no recipe.yaml.")
        check_format(read_document(file).content, file)
        return load_recipe(file, overrides)

    def read_facts(self) -> Facts:
        """Return the facts of the data that the run was trained on.

        Raises:
            WavezooError: if they are missing or damaged.
        """
        file = self.path / FACTS
        try:
            content = json.loads(file.read_text(encoding="utf-8"))
            check_format(content, file)
            return TypeAdapter(Facts).validate_python(content.get("facts"))
        except (OSError, ValidationError, RecursionError, ValueError) as error:
            if isinstance(error, WavezooError):
                raise
            reason = str(error).splitlines()[0]
            raise WavezooError(
                f"{file} is missing or damaged ({reason}); without it {self.path} cannot be read."
            ) from None

    def check_facts(self, facts: Facts) -> None:
        """Raise WavezooError unless data with these facts are of the kind, and have the classes, of the run's."""
        known = self.read_facts()
        if facts.classes != known.classes:
            gone = [name for name in known.classes if name not in facts.classes]
            new = [name for name in facts.classes if name not in known.classes]
            changes = [f"missing: {', '.join(gone)}"] * bool(gone) + [f"new: {', '.join(new)}"] * bool(new)
            raise WavezooError(
                f"the data have other classes than those that {self.path} was trained on "
                f"({'; '.join(changes) or 'in another order'}). Give the data it was trained on, or train anew."
            )
        for name in ("channels", "features", "vocabulary", "target", "target_channels", "tokenizer"):
            here, there = getattr(facts, name, None), getattr(known, name, None)
            if here != there and name == "tokenizer":
                raise WavezooError(
                    f"the data are tokenised otherwise than those that {self.path} was trained on. Give the corpus "
                    "that it was trained on, or its tokenizer."
                )
            if here != there:
                raise WavezooError(f"the data have {name} {here}, those that {self.path} was trained on {there}.")

    def read_summary(self) -> Summary | None:
        """Return what ``summary.json`` holds, None if the run has not ended.

        Raises:
            WavezooError: if it is damaged.
        """
        text = self._read(SUMMARY)
        return None if text is None else read_record(Summary, text, self.path / SUMMARY)

    def read_metrics(self) -> list[Measurement]:
        """Return what ``metrics.jsonl`` holds.

        Raises:
            WavezooError: if it is damaged.
        """
        lines = enumerate((self._read(METRICS) or "").splitlines(), 1)
        return [read_record(Measurement, line, f"{self.path / METRICS}:{number}") for number, line in lines]

    def load_weights(self, model: nn.Module, which: str) -> None:
        """Load the weights called ``which`` into ``model``.

        Raises:
            WavezooError: if they are missing, damaged, or those of another model.
        """
        file = self.path / f"{which}.safetensors"
        if not is_file(file):
            raise WavezooError(f"{self.path} has no {file.name}: the run ended before it saved any weights.")
        load_weights(model, file)

    def _make(self, lock: FolderLock, recipe: Recipe, facts: Facts) -> None:
        making = self._beside(uuid.uuid4().hex)
        try:
            self._remove_abandoned()
            making.mkdir(parents=True)
            if not lock.acquire(making):
                raise in_use(self.path)
            content = json.dumps({"format": FORMAT, "facts": asdict(facts)}, indent=2)
            for name, text in ((RECIPE, dump_recipe(recipe)), (FACTS, content + "\n")):
                with writing(making / name) as beside:
                    beside.write_text(text, encoding="utf-8")
            if self._is_empty() and os.name == "nt":
                self.path.rmdir()
            # Onto nothing or an empty folder; who comes second fails.
            making.rename(self.path)
        except WavezooError:
            lock.release(making)
            raise
        except OSError as error:
            lock.release(making)
            if self.path.exists() and not self._is_empty():
                raise self._taken() from error
            raise WavezooError(
                f"the run folder {self.path} cannot be made: {error.strerror}. Name another with --out."
            ) from error
        finally:
            shutil.rmtree(making, ignore_errors=True)

    def _remove_abandoned(self) -> None:
        """Remove what a process that was killed while it made this folder left beside it."""
        beside = self._beside("")
        for folder in beside.parent.glob(f".{glob.escape(self.path.name)}.*.part"):
            if not folder.is_dir() or time.time() - folder.stat().st_mtime < MAKING_SECONDS:
                continue
            lock = FolderLock()
            if lock.acquire(folder):
                lock.release(folder)
                shutil.rmtree(folder, ignore_errors=True)

    def _beside(self, maker: str) -> Path:
        """Return the folder in which this one is made."""
        path = Path(os.path.abspath(self.path))
        return path.with_name(f".{path.name}.{maker}.part")

    def _is_empty(self) -> bool:
        return is_folder(self.path) and not any(self.path.iterdir())

    def _taken(self) -> WavezooError:
        hint = f", continue it with --resume {self.path}" if is_file(self.path / RECIPE) else ""
        return WavezooError(f"the run folder {self.path} exists already. Name another with --out{hint}, or remove it.")

    def _read(self, name: str) -> str | None:
        file = self.path / name
        try:
            return file.read_text(encoding="utf-8") if is_file(file) else None
        except (OSError, ValueError) as error:
            raise WavezooError(f"{file} is damaged ({error}).") from error

    def _write(self, name: str, text: str) -> None:
        with self.writing(name) as beside:
            beside.write_text(text, encoding="utf-8")


def versions() -> dict[str, str]:
    """Return the versions of what a result depends on."""
    packages = {name: version(name) for name in ("wavezoo", "timm", "accelerate")}
    return {"python": platform.python_version(), "torch": torch.__version__, **packages}


__all__ = ["LOCK", "WEIGHTS", "RunFolder", "load_weights", "versions"]
