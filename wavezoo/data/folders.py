"""Files below a folder, without those that systems and editors leave, and with an error where one may not look."""

import os
from collections.abc import Iterator
from pathlib import Path

from wavezoo.errors import WavezooError


def folders_in(folder: Path) -> list[Path]:
    """Return the folders in ``folder``, sorted, but hidden ones such as ``.ipynb_checkpoints``.

    Raises:
        WavezooError: if one may not look.
    """
    try:
        return sorted(each for each in folder.iterdir() if each.is_dir() and not each.name.startswith("."))
    except OSError as error:
        raise _unreadable(error) from error


def files_below(folder: Path) -> list[Path]:
    """Return the files below ``folder``, sorted, but hidden ones such as ``._photo.png`` and those in hidden folders.

    Raises:
        WavezooError: if one may not look anywhere.
    """
    return sorted(_walk(folder))


def _walk(folder: Path) -> Iterator[Path]:
    def refuse(error: OSError) -> None:
        raise _unreadable(error) from error

    for parent, folders, files in os.walk(folder, onerror=refuse):
        folders[:] = [name for name in folders if not name.startswith(".")]
        yield from (Path(parent, name) for name in files if not name.startswith("."))


def _unreadable(error: OSError) -> WavezooError:
    return WavezooError(f"{error.filename} cannot be read: {error.strerror}. Allow it, or move the folder elsewhere.")
