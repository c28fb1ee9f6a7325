import io
import math
import os
import tempfile
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path

import pytest
from hypothesis import strategies as st

from wavezoo.cli.app import main
from wavezoo.plugins.axes import AXES
from wavezoo.plugins.registry import registry


@pytest.fixture(scope="session")
def values():
    """A strategy of what may stand where something else should."""
    numbers = st.sampled_from([0, -1, 1, 2, 3, 7, 2**40, 2**63, 2**64, 10**39, 0.5, -0.5, 1e-300, 1e308])
    odd = st.sampled_from([None, True, False, math.nan, math.inf, -math.inf, "", "x", "1", "é", "x" * 300, "[/b]"])
    schemes = st.sampled_from([name for axis in AXES for name in registry.schemes(axis)] + ["none"])
    plain = numbers | odd | schemes | st.text(max_size=5)
    keys = st.sampled_from(["name", "order", "initial", "x", "resolution", "modes", "dt", "mass", "iterations"])
    options = st.dictionaries(keys, plain, max_size=3)
    chosen = st.builds(lambda name, rest: rest | {"name": name}, schemes, options)
    lists = st.lists(plain, max_size=3) | st.lists(st.lists(plain, max_size=2), max_size=2)
    return st.one_of(plain, plain, plain, plain, chosen, chosen, lists, options)


@pytest.fixture(scope="session")
def in_empty_folder():
    """A context manager: the working folder is a fresh one."""

    @contextmanager
    def entered():
        former = Path.cwd()
        with tempfile.TemporaryDirectory() as folder:
            os.chdir(folder)
            try:
                yield Path(folder)
            finally:
                os.chdir(former)

    return entered


@pytest.fixture(scope="session")
def command():
    """Run a command in this process: it works, or ends in one message and exit code 2 with nothing left behind."""

    def run(*arguments, works=(0,)):
        before = _files()
        out, err = io.StringIO(), io.StringIO()
        with redirect_stdout(out), redirect_stderr(err), pytest.raises(SystemExit) as stopped:
            main([str(argument) for argument in arguments])
        code = stopped.value.code
        assert code in (*works, 2), f"exit code {code}: {err.getvalue()}"
        if code == 2:
            message = err.getvalue()
            assert message.startswith("wavezoo: "), message
            assert message.count("wavezoo: ") == 1, message
            assert "Traceback" not in message
            assert _files() == before, "something was left behind"
        return code

    return run


def _files():
    return sorted(str(path) for path in Path().rglob("*"))
