"""One process at a time works in a folder."""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from wavezoo.errors import WavezooError

LOCK = ".lock"
UNSUPPORTED = (errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS)
# Locks of one file do not keep the threads of one process apart.
_held: set[tuple[int, int]] = set()


class FolderLock:
    """The right to write into a folder, held from `acquire` to `release`, and given up when the process dies."""

    def __init__(self) -> None:
        self._file: int | None = None
        self._identity = (0, 0)

    def acquire(self, folder: Path) -> bool:
        """Take the lock of ``folder``; return False if somebody else has it.

        Raises:
            OSError: if nothing can be written there.
        """
        file = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT, 0o644)
        status = os.fstat(file)
        self._identity = (status.st_dev, status.st_ino)
        if self._identity in _held:
            # Closing this file would give up the other's lock too.
            return False
        if not _locked(file) or not _is_at(folder / LOCK, self._identity):
            os.close(file)
            return False
        _held.add(self._identity)
        self._file = file
        return True

    def release(self, folder: Path) -> None:
        """Give the lock up, and remove its file."""
        if self._file is None:
            return
        with suppress(OSError):
            (folder / LOCK).unlink()
        os.close(self._file)
        _held.discard(self._identity)
        self._file = None


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Keep everybody else out of ``folder``.

    Raises:
        WavezooError: if somebody is in it, or if nothing can be written there.
    """
    lock = FolderLock()
    try:
        free = lock.acquire(folder)
    except OSError as error:
        raise WavezooError(f"{folder} cannot be used: {error.strerror}.") from error
    if not free:
        raise in_use(folder)
    try:
        yield
    finally:
        lock.release(folder)


def in_use(folder: Path) -> WavezooError:
    """Return the error for a folder in which another process works."""
    return WavezooError(
        f"the run folder {folder} is in use by another training. Wait until it has ended, or name another folder."
    )


def _is_at(path: Path, identity: tuple[int, int]) -> bool:
    try:
        status = path.stat()
    except OSError:
        return False
    return (status.st_dev, status.st_ino) == identity


if os.name == "nt":
    import msvcrt

    def _locked(file: int) -> bool:
        try:
            msvcrt.locking(file, msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined]
        except OSError:
            return False
        return True

else:
    import fcntl

    def _locked(file: int) -> bool:
        # Of the process, not of the open file: workers that outlive a killed process must not keep it.
        try:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            # A network's file system may know no locks; then nobody is kept out.
            return error.errno in UNSUPPORTED
        return True
