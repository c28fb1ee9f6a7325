"""Draws images of Pathfinder in a process of its own, which ends with the one that started it.

It reads jobs from its input, a line of JSON each: the task, the seed, the first image and the one after the last. For
each image it writes index, label and length as `HEADER` has them, then that many bytes of PNG.
"""

import json
import os
import sys
from io import BytesIO
from queue import SimpleQueue
from threading import Thread
from typing import Any

from PIL import Image

from wavezoo.data.sequences.pathfinder_images import draw_image
from wavezoo.data.sequences.pathfinder_task import HEADER, Task


def main() -> None:
    """Draw until the input ends."""
    jobs: SimpleQueue[str] = SimpleQueue()
    Thread(target=_read_jobs, args=(jobs,), daemon=True).start()
    try:
        while True:
            _do(json.loads(jobs.get()))
    # Nobody is left to take the images.
    except BrokenPipeError:
        os._exit(0)


def _do(job: dict[str, Any]) -> None:
    task = Task(**job["task"] | {"margins": tuple(job["task"]["margins"])})
    for index in range(job["first"], job["end"]):
        image, label = draw_image(task, job["seed"], index)
        buffer = BytesIO()
        Image.fromarray(image).save(buffer, "png")
        content = buffer.getvalue()
        sys.stdout.buffer.write(HEADER.pack(index, label, len(content)) + content)
    sys.stdout.buffer.flush()


def _read_jobs(jobs: "SimpleQueue[str]") -> None:
    for line in sys.stdin:
        jobs.put(line)
    # Whoever started this process is gone, or wants no more.
    os._exit(0)
