"""Generated data: a folder that appears when it is whole, and is continued where it was broken off."""

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path

from wavezoo.errors import WavezooError
from wavezoo.files import find_path, writing

NOTE = "made_by.json"
LARGEST_SEED = 2**32 - 1


def check_seed(seed: int) -> None:
    """Raise WavezooError unless ``seed`` is one that every generator takes."""
    if not 0 <= seed <= LARGEST_SEED:
        raise WavezooError(f"seed is {seed}; give a whole number from 0 to {LARGEST_SEED}.")


@contextmanager
def generating(out: Path, made_by: Mapping[str, object]) -> Iterator[Path]:
    """Give a folder to write to, which takes the place of ``out`` when all is there.

    What was broken off before with the same settings is given again, so that it can be continued; a note in the folder
    says what the data are made by.

    Args:
        out: the folder that is to hold the data.
        made_by: the settings that the data depend on.

    Raises:
        WavezooError: if ``out`` holds data made otherwise, or anything else, or if it cannot be written.
    """
    out = Path(os.path.abspath(find_path(out, "--out")))
    try:
        # Nothing can take the place of where a disk is mounted.
        if _is_free(out, made_by) and not os.path.ismount(out):
            text = json.dumps(made_by, sort_keys=True)
            folder = out.with_name(f".{out.name}.{sha256(text.encode()).hexdigest()[:8]}.part")
        else:
            folder = out
        folder.mkdir(parents=True, exist_ok=True)
        with writing(folder / NOTE) as beside:
            beside.write_text(json.dumps(made_by), encoding="utf-8")
        yield folder
        if folder != out:
            if out.exists():
                out.rmdir()
            folder.rename(out)
    except OSError as error:
        raise WavezooError(
            f"{out} cannot be written: {error.strerror}. Make room, or name another folder with --out; run the same "
            "again to continue."
        ) from error


def read_note(folder: Path) -> dict[str, object] | None:
    """Return what the data in a folder are made by, None where nothing says it.

    Raises:
        WavezooError: if the note is damaged.
    """
    note = folder / NOTE
    if not note.is_file():
        return None
    try:
        found = json.loads(note.read_bytes())
        if not isinstance(found, dict):
            raise ValueError("it is no mapping")
    except (OSError, ValueError, RecursionError) as error:
        raise WavezooError(f"{note} is damaged ({error}). Remove it, or generate the data again.") from error
    return found


def _is_free(out: Path, made_by: Mapping[str, object]) -> bool:
    """Return whether nothing is there yet, or False if what is there is made by the same.

    Raises:
        WavezooError: if something else is there.
    """
    if not out.exists():
        return True
    if not out.is_dir():
        raise WavezooError(f"{out} exists already and is no folder. Name another folder with --out.")
    found = read_note(out)
    if found is not None:
        if found != dict(made_by):
            raise WavezooError(
                f"{out} holds data made by {found}, not by {dict(made_by)}. Name another folder with --out."
            )
        return False
    if any(out.iterdir()):
        raise WavezooError(f"{out} exists already and holds something else. Name another folder with --out.")
    return True
