"""Processes that draw images of Pathfinder, and end with the one that started them, in whatever way it ends."""

import json
import subprocess
import sys
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import asdict
from queue import SimpleQueue
from types import TracebackType
from typing import IO, NamedTuple, cast

from wavezoo.data.sequences.pathfinder_task import HEADER, Task
from wavezoo.errors import WavezooError

# Modules are looked for where this process looks for them.
DRAW = """
import json, sys
sys.path = json.loads(sys.argv[1])
from wavezoo.data.sequences.pathfinder_worker import main
main()
"""


class Drawn(NamedTuple):
    """An image, as a PNG file has it, its number and its label."""

    number: int
    label: int
    png: bytes


class Drawers:
    """Processes that draw, each a job at a time; a context, at the end of which they are gone.

    Args:
        count: number of processes.
    """

    def __init__(self, count: int) -> None:
        self._processes = [
            # In a session of its own: Ctrl-C is for this process, which then ends the others.
            subprocess.Popen(
                [sys.executable, "-c", DRAW, json.dumps(sys.path)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                start_new_session=True,
            )
            for _ in range(count)
        ]
        self._idle: SimpleQueue[subprocess.Popen[bytes]] = SimpleQueue()
        for process in self._processes:
            self._idle.put(process)

    def __enter__(self) -> "Drawers":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()
        for process in self._processes:
            process.wait()
            for pipe in (process.stdin, process.stdout):
                _close(pipe)

    @property
    def process_ids(self) -> list[int]:
        """Return the identifiers of the processes."""
        return [process.pid for process in self._processes]

    def draw(self, task: Task, seed: int, jobs: Sequence[range]) -> Iterator[list[Drawn]]:
        """Yield the images of each job, in the order of the jobs.

        Raises:
            WavezooError: if a process was killed.
        """
        with ThreadPoolExecutor(len(self._processes)) as threads:
            running = deque(threads.submit(self._draw, task, seed, job) for job in jobs)
            try:
                while running:
                    yield running.popleft().result()
            finally:
                for future in running:
                    future.cancel()
                if running:
                    # The threads wait for what the processes have still to say.
                    self._end()

    def _draw(self, task: Task, seed: int, job: range) -> list[Drawn]:
        process = self._idle.get()
        try:
            asked = {"task": asdict(task), "seed": seed, "first": job.start, "end": job.stop}
            jobs, images = cast(IO[bytes], process.stdin), cast(IO[bytes], process.stdout)
            jobs.write(json.dumps(asked).encode() + b"\n")
            jobs.flush()
            return [_read(images) for _ in job]
        except (OSError, EOFError):
            raise WavezooError(
                "a process that draws was killed, or ran out of memory. Run the same again, with fewer --workers where "
                "memory is short; it continues."
            ) from None
        finally:
            self._idle.put(process)

    def _end(self) -> None:
        for process in self._processes:
            process.kill()


def _read(pipe: IO[bytes]) -> Drawn:
    index, label, length = HEADER.unpack(_exactly(pipe, HEADER.size))
    return Drawn(index, label, _exactly(pipe, length))


def _exactly(pipe: IO[bytes], count: int) -> bytes:
    content = pipe.read(count)
    if len(content) < count:
        raise EOFError
    return content


def _close(pipe: IO[bytes] | None) -> None:
    # What was still to be written has nobody to read it.
    with suppress(OSError):
        if pipe is not None:
            pipe.close()
