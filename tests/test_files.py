import errno
import os

import pytest

from wavezoo.errors import WavezooError
from wavezoo.files import find_file, find_folder, find_path, is_file, is_folder, writing

NO_PATHS = ["x" * 256, "a/" * 3000, "~nosuchuser/x", "a\0b", "\ud800"]


@pytest.mark.parametrize("path", NO_PATHS, ids=["letters", "folders", "user", "nul", "surrogate"])
def test_what_is_no_path_is_one_message(path):
    for find in (find_file, find_folder, find_path):
        with pytest.raises(WavezooError, match="recipe file"):
            find(path, "recipe file")
    assert not is_file(path)
    assert not is_folder(path)


def test_folders_that_may_not_be_searched(tmp_path, monkeypatch):
    def refuse(self, **_):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr("pathlib.Path.stat", refuse)
    for find in (find_file, find_folder, find_path):
        with pytest.raises(WavezooError, match="Permission denied"):
            find(tmp_path / "x", "run folder")
    assert not is_file(tmp_path)
    assert not is_folder(tmp_path)


def test_files_and_folders_are_told_apart(tmp_path):
    (tmp_path / "file").write_text("")
    assert find_file(tmp_path / "file", "x") == tmp_path / "file"
    assert find_folder(tmp_path, "x") == tmp_path
    for find, path, message in (
        (find_file, tmp_path, "it is a folder"),
        (find_folder, tmp_path / "file", "it is no folder"),
        (find_file, tmp_path / "none", "does not exist"),
        (find_folder, tmp_path / "file" / "none", "does not exist"),
    ):
        with pytest.raises(WavezooError, match=message):
            find(path, "x")


def _fail(beside, error):
    beside.write_text("half")
    raise error


@pytest.mark.parametrize(
    ("error", "raised", "message"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), WavezooError, "No space left"),
        (
            RuntimeError("[enforce fail] . PytorchStreamWriter failed writing file data/1"),
            WavezooError,
            "cannot be written",
        ),
        (RuntimeError("shape '[2]' is invalid for input of size 3"), RuntimeError, "^shape"),
        (KeyboardInterrupt(), KeyboardInterrupt, None),
    ],
)
def test_writing_that_fails_leaves_what_was_there(error, raised, message, tmp_path):
    file = tmp_path / "file"
    file.write_text("old")
    with pytest.raises(raised, match=message), writing(file) as beside:
        _fail(beside, error)
    assert [(each.name, each.read_text()) for each in tmp_path.iterdir()] == [("file", "old")]


def test_the_message_survives_a_disk_that_lets_nothing_be_removed(tmp_path, monkeypatch):
    def refuse(self, missing_ok=False):
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr("pathlib.Path.unlink", refuse)
    with pytest.raises(WavezooError, match="No space left"), writing(tmp_path / "file"):
        raise OSError(errno.ENOSPC, "No space left on device")


def test_what_is_written_can_be_read_by_all_and_was_opened_for_writing(tmp_path, monkeypatch):
    synced, fsync = [], os.fsync

    def needs_writing(handle):
        os.write(handle, b"")
        synced.append(handle)
        fsync(handle)

    monkeypatch.setattr("os.fsync", needs_writing)
    with writing(tmp_path / "new" / "file") as beside:
        beside.touch(0o600)
    assert (tmp_path / "new" / "file").stat().st_mode & 0o777 == 0o644
    assert synced
