"""Files that are either old or new, never half: written beside and renamed."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from safetensors import SafetensorError

from wavezoo.errors import WavezooError


@contextmanager
def writing(file: Path) -> Iterator[Path]:
    """Give a path to write to, and put what was written in the place of ``file`` at once.

    The folder is made if it is missing. When writing fails or is broken off, ``file`` is as before.

    Raises:
        WavezooError: if there is no room or no right to write.
    """
    beside = file.with_name(f".{file.name}.{os.getpid()}.part")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        yield beside
        with beside.open("rb") as written:
            os.fsync(written.fileno())
        beside.replace(file)
    # Torch raises a RuntimeError where a disk is full.
    except (OSError, SafetensorError, RuntimeError) as error:
        raise WavezooError(
            f"{file} cannot be written: {error}. Make room, or name another folder with --out; what was saved before "
            "is still there."
        ) from error
    finally:
        beside.unlink(missing_ok=True)
