import io
import os
from contextlib import redirect_stderr, redirect_stdout

import pytest

from wavezoo.cli.app import main

PATHS = ["x" * 300, "a/" * 3000, "~nosuchuser/x", "/proc/version/x", "\ud800", "missing", "[/x]"]
# Every place of the command line where a path may stand.
COMMANDS = [
    ("train", "{}.yaml"),
    ("train", "{}"),
    ("train", "--resume", "{}"),
    ("train", "quickstart", "--smoke", "--device", "cpu", "--out", "{}/\0"),
    ("train", "image_folder", "--set", "data.path={}"),
    ("train", "fashion_mnist", "--smoke", "--set", "data.path={}"),
    ("train", "quickstart", "--plugin", "{}.py"),
    ("train", "quickstart", "--plugin", "{}"),
    ("evaluate", "{}"),
    ("runs", "{}"),
    ("export", "{}", "--out", "model"),
    ("export", "wavepde_seq_tiny", "--set", "vocab_size=3", "--weights", "{}", "--out", "model"),
    ("export", "wavepde_seq_tiny", "--set", "vocab_size=3", "--out", "{}/x/y"),
    ("generate", "listops", "--train", "1", "--validation", "1", "--test", "1", "--out", "/proc/{}"),
    ("generate", "pathfinder", "--count", "1", "--out", "/proc/{}"),
    ("list", "{}"),
    ("describe", "{}"),
    ("check", "{}"),
    ("results", "--root", "{}"),
]


@pytest.mark.parametrize("path", PATHS, ids=["letters", "depth", "user", "no folder", "surrogate", "missing", "markup"])
@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_a_path_that_leads_nowhere_is_one_message(command, path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err), pytest.raises(SystemExit) as stopped:
        main([argument.format(path) for argument in command])
    message = err.getvalue()
    assert stopped.value.code == 2, message
    assert message.startswith("wavezoo: ")
    assert message.count("wavezoo: ") == 1
    assert not os.listdir(tmp_path)
