"""Files that are there or not, and files that are either old or new, never half: written beside and renamed."""

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from safetensors import SafetensorError

from wavezoo.errors import WavezooError

# What torch says instead of raising an OSError when a disk is full.
TORCH_DISK_FULL = ("PytorchStreamWriter failed", "file write failed", "No space left on device")
MISSING = (errno.ENOENT, errno.ENOTDIR)


def find_path(reference: str | Path, what: str) -> Path:
    """Return the path that a user named, ``~`` expanded; there need not be anything at it.

    Args:
        reference: what was named.
        what: what the path is meant for, in words, such as ``"recipe file"``.

    Raises:
        WavezooError: if nothing can be there, or if one may not look.
    """
    _mode(path := _expanded(reference, what), what)
    return path


def find_file(reference: str | Path, what: str) -> Path:
    """Return the path of a file that a user named.

    Raises:
        WavezooError: if it is no path, if nothing or something else is there, or if one may not read it.
    """
    return _found(reference, what, False, os.R_OK)


def find_folder(reference: str | Path, what: str) -> Path:
    """Return the path of a folder that a user named.

    Raises:
        WavezooError: if it is no path, if nothing or something else is there, or if one may not look into it.
    """
    return _found(reference, what, True, os.R_OK | os.X_OK)


def is_file(path: str | Path) -> bool:
    """Return whether there is a file that one may look at; False for what is no path at all."""
    with suppress(WavezooError):
        mode = _mode(_expanded(path, "path"), "path")
        return mode is not None and stat.S_ISREG(mode)
    return False


def is_folder(path: str | Path) -> bool:
    """Return whether there is a folder that one may look at; False for what is no path at all."""
    with suppress(WavezooError):
        mode = _mode(_expanded(path, "path"), "path")
        return mode is not None and stat.S_ISDIR(mode)
    return False


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
        # Windows writes to disk through handles for writing only.
        with beside.open("rb+") as written:
            os.fsync(written.fileno())
        beside.chmod(0o644)
        beside.replace(file)
    except (OSError, SafetensorError, RuntimeError) as error:
        if isinstance(error, RuntimeError) and not any(text in str(error) for text in TORCH_DISK_FULL):
            raise
        raise WavezooError(
            f"{file} cannot be written: {error}. Make room, or name another folder with --out; what was saved before "
            "is still there."
        ) from error
    finally:
        # A disk that has become read-only refuses this too; what went wrong before is what matters.
        with suppress(OSError):
            beside.unlink(missing_ok=True)


def _expanded(reference: str | Path, what: str) -> Path:
    try:
        return Path(reference).expanduser()
    except RuntimeError as error:
        raise WavezooError(f"{what} {str(reference)!r} is no path: {str(error).rstrip('.')}.") from error


def _mode(path: Path, what: str) -> int | None:
    """Return type and rights of what is at ``path``, None if nothing is."""
    try:
        return path.stat().st_mode
    except OSError as error:
        if error.errno in MISSING:
            return None
        raise WavezooError(f"{what} {_short(path)} cannot be read: {error.strerror}.") from error
    # A NUL character, or bytes that are no text.
    except ValueError as error:
        raise WavezooError(f"{what} {_short(path)} is no path: {error}.") from error


def _found(reference: str | Path, what: str, folder: bool, rights: int) -> Path:
    path = _expanded(reference, what)
    mode = _mode(path, what)
    if mode is None:
        raise WavezooError(f"{what} {_short(path)} does not exist.")
    if stat.S_ISDIR(mode) != folder:
        raise WavezooError(f"{what} {_short(path)} cannot be read: it is {'no' if folder else 'a'} folder.")
    if not os.access(path, rights):
        raise WavezooError(f"{what} {_short(path)} cannot be read: {os.strerror(errno.EACCES)}.")
    return path


def _short(path: Path) -> str:
    text = str(path)
    return repr(text if len(text) <= 300 else f"{text[:100]}...{text[-100:]}")
