"""Draws images of Pathfinder in a process of its own, which is run as a file and ends with the one that started it.

It reads jobs from its input, a line of JSON each: the task, the seed, the first image and the one after the last. For
each image it writes index, label and length as `HEADER` has them, then that many bytes of PNG.
"""

import json
import os
import sys
from queue import SimpleQueue
from threading import Thread
from types import ModuleType

FOLDER = os.path.dirname(os.path.abspath(__file__))
# Index, label and length of an image.
HEADER = ">QBI"
HEADER_BYTES = 13


def _stand_in_for_packages() -> None:
    """Let modules be imported without what their packages import: torch alone is some 700 MB a process."""
    folder, names = FOLDER, ["wavezoo", "wavezoo.data", "wavezoo.data.sequences"]
    for name in reversed(names):
        package = ModuleType(name)
        package.__path__ = [folder]
        sys.modules[name] = package
        folder = os.path.dirname(folder)


def _read_jobs(jobs: "SimpleQueue[str]") -> None:
    for line in sys.stdin:
        jobs.put(line)
    # Whoever started this process is gone, or wants no more.
    os._exit(0)


def main() -> None:
    """Draw until the input ends."""
    import struct
    from io import BytesIO

    from PIL import Image

    from wavezoo.data.sequences.pathfinder_images import draw_image
    from wavezoo.data.sequences.pathfinder_task import Task

    jobs: SimpleQueue[str] = SimpleQueue()
    Thread(target=_read_jobs, args=(jobs,), daemon=True).start()
    while True:
        job = json.loads(jobs.get())
        task = Task(**job["task"] | {"margins": tuple(job["task"]["margins"])})
        for index in range(job["first"], job["end"]):
            image, label = draw_image(task, job["seed"], index)
            buffer = BytesIO()
            Image.fromarray(image).save(buffer, "png")
            content = buffer.getvalue()
            sys.stdout.buffer.write(struct.pack(HEADER, index, label, len(content)) + content)
        sys.stdout.buffer.flush()


if __name__ == "__main__":
    # The folder of this file has modules of names that others have too.
    sys.path = [each for each in sys.path if os.path.abspath(each or ".") != FOLDER]
    _stand_in_for_packages()
    main()
