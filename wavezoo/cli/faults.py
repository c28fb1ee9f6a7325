"""What becomes of errors at the command line: what a user can mend is one message; the rest names itself a fault."""

import errno
import os
import platform
import sys
import tempfile
import traceback
from collections.abc import Callable
from importlib.metadata import version

import typer

from wavezoo.cli.output import PatientOutput, say_aside
from wavezoo.errors import WavezooError

MENDABLE, FAULT, INTERRUPTED = 2, 70, 130
# The class from which typer's errors of usage are derived, wherever typer keeps it.
UsageError = typer.BadParameter.__base__ or typer.BadParameter
FULL_OR_READ_ONLY = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)


def exit_code_of(command: Callable[[], object]) -> int:
    """Run ``command``, put whatever it raises into words, and return the exit code."""
    try:
        code = command()
        PatientOutput().flush()
        return code if isinstance(code, int) else 0
    except SystemExit as stopped:
        return stopped.code if isinstance(stopped.code, int) else int(stopped.code is not None)
    except (KeyboardInterrupt, typer.Abort):
        say_aside("wavezoo: interrupted")
        return INTERRUPTED
    except typer.Exit as stopped:
        return int(stopped.exit_code)
    except Exception as error:
        return _explained(error)


def _explained(error: Exception) -> int:
    # An interrupted training says itself what it exits with.
    if isinstance(code := getattr(error, "exit_code", None), int) and not isinstance(error, UsageError):
        say_aside(f"wavezoo: {error}")
        return code
    if isinstance(error, UsageError):
        context = getattr(error, "ctx", None)
        usage = f" `{context.command_path} --help` shows the usage." if context is not None else ""
        say_aside(f"wavezoo: {getattr(error, 'format_message', error.__str__)().rstrip()}{usage}")
        return MENDABLE
    if isinstance(error, WavezooError):
        say_aside(f"wavezoo: {error}")
        return MENDABLE
    if _out_of_memory(error):
        say_aside(
            f"wavezoo: there is not enough memory ({_first_line(error)}). Use smaller batches, or a smaller model."
        )
        return MENDABLE
    if isinstance(error, OSError) and error.errno in FULL_OR_READ_ONLY:
        say_aside(f"wavezoo: nothing can be written: {error.strerror}. Make room, or write elsewhere.")
        return MENDABLE
    say_aside(f"wavezoo: {_fault(error)}")
    return FAULT


def _out_of_memory(error: Exception) -> bool:
    # By name, so that torch need not be imported.
    return (
        isinstance(error, MemoryError)
        or type(error).__name__ == "OutOfMemoryError"
        or "DefaultCPUAllocator: can't allocate memory" in str(error)
    )


def _fault(error: Exception) -> str:
    culprit = _plugin_at_fault(error)
    what = f"the plugin {culprit} failed" if culprit else "this is a fault of wavezoo"
    whom = f"the author of {culprit}" if culprit else "wavezoo's authors"
    where = _written_traceback(error)
    return f"{what}: {_first_line(error)}; {where}; please report it to {whom} with the traceback and the command"


def _first_line(error: Exception) -> str:
    reason = str(error).strip().partition("\n")[0]
    return f"{type(error).__name__}: {reason[:300]}" if reason else type(error).__name__


def _written_traceback(error: Exception) -> str:
    lines = [
        f"command: {sys.argv}",
        f"wavezoo {version('wavezoo')}, Python {platform.python_version()}, {platform.platform()}",
        *(f"{name} {version(name)}" for name in ("torch", "timm") if name in sys.modules),
        "",
        *traceback.format_exception(error),
    ]
    try:
        handle, path = tempfile.mkstemp(prefix="wavezoo-", suffix=".txt", text=True)
        with os.fdopen(handle, "w", encoding="utf-8", errors="backslashreplace") as file:
            file.write("\n".join(lines))
    except OSError as unwritten:
        return f"the traceback could not be written ({unwritten.strerror})"
    return f"the traceback was written to {path}"


def _plugin_at_fault(error: Exception) -> str | None:
    """Return the name of the plugin in whose code an error was raised, None if it was raised elsewhere."""
    module = sys.modules.get("wavezoo.plugins.registry")
    plugin = None if module is None else module.registry.at_fault(error)
    return None if plugin is None else plugin.name
