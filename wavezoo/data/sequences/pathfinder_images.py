"""How an image of Pathfinder or Path-X is drawn.

The task is that of Linsley et al. 2018 in the form of the Long Range Arena (Tay et al. 2021). The publications leave
the procedure open; the parameters here give images with the statistics of the benchmark's.

Points are integer ``(y, x)``; angles are whole degrees.
"""

from math import cos, radians, sin

import numpy as np

from wavezoo.data.sequences.pathfinder_stamps import (
    Point,
    candidates,
    circle,
    dash_stamp,
    disc_stamp,
    footprint,
    moved,
    overlap,
    paste,
    set_band,
    straightness,
)
from wavezoo.data.sequences.pathfinder_task import Task

FREE_BELOW = 0.3
CROSSING_BELOW = 1.8


class _Dead(Exception):  # noqa: N818
    """An attempt that cannot be completed."""


def draw_image(task: Task, seed: int, index: int) -> tuple[np.ndarray, int]:
    """Draw an image ``(size, size)``, uint8, and its label; the same for the same seed and index."""
    rng = np.random.default_rng([seed, index])
    label = int(rng.integers(2))
    marked = int(rng.integers(2))
    margin = int(rng.choice(task.margins))
    while True:
        canvas = _Canvas(task, margin, rng)
        try:
            snakes = _draw_pair(canvas)
            break
        except _Dead:
            continue
    ink = np.zeros((task.size, task.size), np.float32)
    for snake in snakes:
        snake.draw(ink, task.ink)
    for _ in range(task.distractors):
        if (distractor := _draw_distractor(canvas)) is not None:
            distractor.draw(ink, task.distractor_ink)
    ends = snakes[marked].tail, snakes[marked if label else 1 - marked].tip
    for end in ends:
        paste(ink, end, disc_stamp(task.disc))
    scaled = (ink - ink.min()) / (ink.max() - ink.min())
    return np.round(255 * scaled).astype(np.uint8), label


def _draw_pair(canvas: "_Canvas") -> list["_Snake"]:
    task, rng = canvas.task, canvas.rng
    first = _start(canvas, 2 * task.distance)
    for attempt in range(3):
        phi = radians(rng.integers(360))
        tail = (
            round(first.tail[0] + task.distance * sin(phi)),
            round(first.tail[1] + task.distance * cos(phi)),
        )
        try:
            second = _Snake(canvas, tail, int(rng.integers(360)))
            break
        except _Dead:
            if attempt == 2:
                raise
    snakes = [first, second]
    for _ in range(task.target_segments - 1):
        for snake in snakes:
            snake.grow()
    canvas.take(second.dashes[-1])
    return snakes


def _draw_distractor(canvas: "_Canvas") -> "_Snake | None":
    for _ in range(5):
        if (canvas.mask <= FREE_BELOW).mean() < 0.01:
            return None
        before = canvas.mask.copy()
        try:
            snake = _start(canvas, 1, tries=1)
            for _ in range(canvas.task.distractor_segments - 1):
                snake.grow()
        except _Dead:
            canvas.mask[:] = before
            continue
        canvas.take(snake.dashes[-1])
        return snake
    return None


def _start(canvas: "_Canvas", band: int, tries: int = 3) -> "_Snake":
    """Start a snake where its first dash fits, ``band`` pixels from the edges."""
    for _ in range(tries):
        angle = int(canvas.rng.integers(360))
        places = np.argwhere(canvas.free(angle, band))
        if not len(places):
            continue
        y, x = places[canvas.rng.integers(len(places))]
        try:
            return _Snake(canvas, (int(y), int(x)), angle)
        except _Dead:
            continue
    raise _Dead


class _Canvas:
    """What is taken of an image: 1 on the border and near dashes, 0 where it is free."""

    def __init__(self, task: Task, margin: int, rng: np.random.Generator) -> None:
        self.task, self.margin, self.rng = task, margin, rng
        # With a rim as wide as the margin, so that what lies within it of any pixel can be looked up.
        self.rimmed = np.zeros((task.size + 2 * margin,) * 2, np.float32)
        self.mask = self.rimmed[margin:-margin, margin:-margin]
        set_band(self.mask, 1)

    def inside(self, *points: Point) -> bool:
        return all(0 <= value < self.task.size for point in points for value in point)

    def stamp(self, angle: float) -> tuple[np.ndarray, np.ndarray]:
        return dash_stamp(self.task.segment, self.task.width, self.margin, angle)

    def take(self, dash: tuple[Point, float]) -> None:
        """Let the mask take in the halo of a dash."""
        paste(self.mask, dash[0], self.stamp(dash[1])[1])

    def crossed(self, dash: tuple[Point, float]) -> bool:
        """Return whether a dash would cross others."""
        halo = self.stamp(dash[1])[1]
        window, part = overlap(self.mask, dash[0], halo)
        return bool((window + part).max(initial=0) >= CROSSING_BELOW)

    def free(self, angle: int, band: int) -> np.ndarray:
        """Return where a dash towards ``angle`` fits, ``(size, size)``, bool."""
        offsets = footprint(self.task, self.margin, angle)
        if offsets is None:
            raise _Dead
        size, reach = self.task.size, self.task.segment + self.margin
        taken = np.zeros((size + 2 * reach,) * 2, bool)
        taken[reach:-reach, reach:-reach] = self.mask > FREE_BELOW
        set_band(taken[reach:-reach, reach:-reach], band)
        free = np.ones((size, size), bool)
        for y, x in offsets:
            free &= ~taken[y : y + size, x : x + size]
        return free


class _Snake:
    """A dashed curve that grows from its tail.

    Attributes:
        tail: where it starts.
        tip: where it ends.
        dashes: where each dash starts, and its angle. The mask has not taken in the last one yet.
    """

    def __init__(self, canvas: _Canvas, tail: Point, angle: int) -> None:
        self.canvas, self.tail, self.tip = canvas, tail, tail
        head = moved(tail, angle, canvas.task.segment)
        self.pivot = moved(head, angle + 180, canvas.task.segment + canvas.margin)
        if not canvas.inside(tail, head, self.pivot):
            raise _Dead
        self.angle: float = angle
        self.dashes: list[tuple[Point, float]] = [(tail, angle)]

    def grow(self) -> None:
        """Add a dash behind the last.

        Raises:
            _Dead: if there is no room.
        """
        canvas, task = self.canvas, self.canvas.task
        pivot = moved(self.pivot, self.angle, task.segment + 2 * canvas.margin)
        radius = task.segment + canvas.margin
        points, chosen, nearby = candidates(task.size, radius, canvas.margin, pivot)
        straight = straightness(task.continuity, radius, self.angle)[chosen]
        crowding = canvas.rimmed.take(nearby).max(1, initial=0)
        sums = ((1 - crowding) * straight).cumsum()
        if not len(sums) or sums[-1] < 1e-4:
            raise _Dead
        for _ in range(3):
            choice = int(sums.searchsorted(canvas.rng.random() * sums[-1], side="right"))
            point: Point = tuple(points[choice].tolist())
            angle = float(circle(radius)[1][chosen[choice]])
            dash = point, angle + 180
            if not canvas.crossed(dash):
                canvas.take(self.dashes[-1])
                self.pivot, self.tip, self.angle = pivot, point, angle
                self.dashes.append(dash)
                return
        raise _Dead

    def draw(self, ink: np.ndarray, contrast: float) -> None:
        """Draw the snake onto ``ink``, by maximum."""
        for point, angle in self.dashes:
            paste(ink, point, self.canvas.stamp(angle)[0] * contrast)
