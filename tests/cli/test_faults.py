import errno
import io
import re
import subprocess
import sys
from pathlib import Path

import pytest
import typer

from wavezoo.cli.app import main
from wavezoo.cli.faults import exit_code_of
from wavezoo.cli.output import Table, say
from wavezoo.errors import WavezooError

FAILING = """
import wavezoo
from wavezoo.wave.integrators.velocity_verlet import VelocityVerlet

class Failing(VelocityVerlet):
    '''An integrator whose step fails.'''

    def advance(self, *arguments):
        raise KeyError('nothing here')

@wavezoo.hookimpl
def wavezoo_integrators():
    return {"failing": Failing}
"""


def raising(error):
    def command():
        raise error

    return command


class Interrupted(Exception):  # noqa: N818
    exit_code = 143


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (WavezooError("give x"), 2, "wavezoo: give x"),
        (typer.BadParameter("no such option"), 2, "no such option"),
        (Interrupted("saved"), 143, "wavezoo: saved"),
        (KeyboardInterrupt(), 130, "wavezoo: interrupted"),
        (typer.Exit(1), 1, ""),
        (MemoryError(), 2, "not enough memory"),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried"), 2, "not enough memory"),
        (OSError(errno.ENOSPC, "No space left on device"), 2, "nothing can be written: No space left on device"),
        (SystemExit(3), 3, ""),
    ],
    ids=lambda value: type(value).__name__,
)
def test_every_error_has_its_exit_code_and_one_message(error, code, message, capsys):
    assert exit_code_of(raising(error)) == code
    err = capsys.readouterr().err
    assert message in err
    assert err.count("\n") <= 1


def test_what_is_unexpected_names_itself_a_fault_and_keeps_its_traceback(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    assert exit_code_of(raising(TypeError("one line\nand more"))) == 70
    line = capsys.readouterr().err
    assert line.startswith("wavezoo: this is a fault of wavezoo: TypeError: one line; the traceback was written to ")
    assert line.count("\n") == 1
    written = Path(re.search(r"written to (\S+);", line)[1])
    assert written.parent == tmp_path
    assert "and more" in written.read_text()
    assert "Traceback" in written.read_text()


def test_a_traceback_that_cannot_be_written_changes_nothing_else(monkeypatch, capsys):
    monkeypatch.setattr("tempfile.mkstemp", lambda **options: raising(OSError(errno.EROFS, "Read-only file system"))())
    assert exit_code_of(raising(TypeError("x"))) == 70
    assert "could not be written (Read-only file system)" in capsys.readouterr().err


def test_a_plugin_that_fails_is_named(tmp_path, monkeypatch, capsys, scratch_registry):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    (tmp_path / "failing.py").write_text(FAILING)
    choice = ["--set", "model.preset=stepped", "--set", "model.integrator=failing", "--plugin", "failing.py"]
    with pytest.raises(SystemExit) as stopped:
        main(["train", "quickstart", "--smoke", "--device", "cpu", "--out", "run", *choice])
    assert stopped.value.code == 70
    assert "the plugin failing failed: KeyError: 'nothing here'" in capsys.readouterr().err


def test_a_check_that_raises_anything_has_failed(tmp_path, monkeypatch, capsys, scratch_registry):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "failing.py").write_text(FAILING)
    with pytest.raises(SystemExit) as stopped:
        main(["check", "failing", "--plugin", "failing.py"])
    out, err = capsys.readouterr()
    assert stopped.value.code == 1
    assert "KeyError in the plugin failing: 'nothing here'" in out
    assert "Traceback" not in out + err


class Gone(io.StringIO):
    def write(self, text):
        raise BrokenPipeError(errno.EPIPE, "Broken pipe")


class Full(io.StringIO):
    def write(self, text):
        raise OSError(errno.ENOSPC, "No space left on device")


def test_a_reader_that_leaves_stops_nothing(monkeypatch):
    monkeypatch.setattr("sys.stdout", Gone())
    assert exit_code_of(lambda: say("x" * 10000)) == 0


def test_a_full_disk_under_the_output_is_one_message(monkeypatch, capsys):
    monkeypatch.setattr("sys.stdout", Full())
    assert exit_code_of(lambda: say("x")) == 2
    assert "standard output cannot be written: No space left on device" in capsys.readouterr().err


def test_a_pipe_that_closes_ends_quietly():
    piped = f"{sys.executable} -m wavezoo list integrators | head -c 1"
    done = subprocess.run(piped, shell=True, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("name", ["x[/y]", "a[lr=1e-3]", "[bold]", ":smile:", "\x1b"])
def test_nothing_a_user_names_is_taken_for_markup(name, capsys):
    say(name)
    say(Table(("run",), [(name,)]).text())
    assert capsys.readouterr().out == f"{name}\nrun\n{name}\n"


def test_tables_show_names_whole_wherever_they_are_printed(monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "20")
    table = Table(("model", "images / s"), [("wavepde_iso_small_paper", "12.3")], "title", numbers=True)
    say(table.text())
    assert "wavepde_iso_small_paper        12.3" in capsys.readouterr().out
    assert table.markdown().splitlines()[-1] == "| wavepde_iso_small_paper | 12.3 |"
