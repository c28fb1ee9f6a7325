"""SIGTERM and Ctrl-C end a training at the next step, saved."""

import signal
import threading
from types import FrameType, TracebackType
from typing import Any

SIGNALS = (signal.SIGTERM, signal.SIGINT)


class InterruptedTraining(Exception):  # noqa: N818
    """Training was told to stop, and stopped with everything saved.

    Attributes:
        exit_code: what a process that a signal ended exits with: 130 for Ctrl-C, 143 for SIGTERM.
    """

    def __init__(self, message: str, exit_code: int) -> None:
        super().__init__(message)
        self.exit_code = exit_code


class Interruption:
    """Notes the first signal inside a ``with``; a second one acts as it would have without.

    Attributes:
        signal: the signal's number, None while there was none.
    """

    def __init__(self) -> None:
        self.signal: int | None = None
        self._former: dict[int, Any] = {}

    def __enter__(self) -> "Interruption":
        # Python lets only the main thread handle signals.
        if threading.current_thread() is threading.main_thread():
            self._former = {each: signal.signal(each, self._note) for each in SIGNALS}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._restore()

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.signal = number
        self._restore()

    def _restore(self) -> None:
        for number, handler in self._former.items():
            signal.signal(number, handler)


def leave_ctrl_c_to_the_main_process(worker: int) -> None:
    """Make a loader's worker ignore what a terminal sends to all processes at once.

    Not SIGTERM, by which the main process ends its workers.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
