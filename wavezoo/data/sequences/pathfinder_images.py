"""How an image of Pathfinder or Path-X is drawn.

The task is that of Linsley et al. 2018 in the form of the Long Range Arena (Tay et al. 2021). The publications leave
the procedure open; the parameters here give images with the statistics of the benchmark's.

Points are integer ``(y, x)``; angles are whole degrees.
"""

from dataclasses import dataclass
from functools import lru_cache
from math import ceil, cos, pi, radians, sin

import numpy as np
from PIL import Image, ImageDraw
from scipy import ndimage

OVERSAMPLING = 2
FREE_BELOW = 0.3
CROSSING_BELOW = 1.8

Point = tuple[int, int]


class _Dead(Exception):  # noqa: N818
    """An attempt that cannot be completed."""


@dataclass(frozen=True)
class Task:
    """The parameters of the images of one size.

    Attributes:
        size: side of the image, in pixels.
        distance: distance D of the two tails.
        segment: length l of a dash.
        width: width w of a dash.
        margins: the margins m kept around dashes, one drawn for each image.
        continuity: how strongly a snake goes straight on, c.
        distractors: number of short snakes.
        ink: contrast of target snakes.
        distractor_ink: contrast of distractors.
        disc: radius r of the discs.
        target_segments: dashes of a target snake.
        distractor_segments: dashes of a distractor.
    """

    size: int
    distance: int
    segment: int
    width: float
    margins: tuple[int, ...]
    continuity: float
    distractors: int
    ink: float
    distractor_ink: float
    disc: float
    target_segments: int = 14
    distractor_segments: int = 4


TASKS = {
    32: Task(32, 7, 2, 0.5, (1,), 1.0, 5, 1.5, 2.0, 1.5),
    128: Task(128, 20, 5, 1.5, (2, 3), 1.8, 8, 0.9, 0.9, 3.0),
}


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
        _paste(ink, end, _disc_stamp(task.disc))
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
        _set_band(self.mask, 1)

    def inside(self, *points: Point) -> bool:
        return all(0 <= value < self.task.size for point in points for value in point)

    def stamp(self, angle: float) -> tuple[np.ndarray, np.ndarray]:
        return _stamp(self.task.segment, self.task.width, self.margin, angle)

    def take(self, dash: tuple[Point, float]) -> None:
        """Let the mask take in the halo of a dash."""
        _paste(self.mask, dash[0], self.stamp(dash[1])[1])

    def crossed(self, dash: tuple[Point, float]) -> bool:
        """Return whether a dash would cross others."""
        halo = self.stamp(dash[1])[1]
        window, part = _overlap(self.mask, dash[0], halo)
        return bool((window + part).max(initial=0) >= CROSSING_BELOW)

    def free(self, angle: int, band: int) -> np.ndarray:
        """Return where a dash towards ``angle`` fits, ``(size, size)``, bool."""
        offsets = _footprint(self.task, self.margin, angle)
        if offsets is None:
            raise _Dead
        size, reach = self.task.size, self.task.segment + self.margin
        taken = np.zeros((size + 2 * reach,) * 2, bool)
        taken[reach:-reach, reach:-reach] = self.mask > FREE_BELOW
        _set_band(taken[reach:-reach, reach:-reach], band)
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
        head = _moved(tail, angle, canvas.task.segment)
        self.pivot = _moved(head, angle + 180, canvas.task.segment + canvas.margin)
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
        pivot = _moved(self.pivot, self.angle, task.segment + 2 * canvas.margin)
        radius = task.segment + canvas.margin
        points, chosen, nearby = _candidates(task.size, radius, canvas.margin, pivot)
        straight = _straightness(task.continuity, radius, self.angle)[chosen]
        crowding = canvas.rimmed.take(nearby).max(1, initial=0)
        sums = ((1 - crowding) * straight).cumsum()
        if not len(sums) or sums[-1] < 1e-4:
            raise _Dead
        for _ in range(3):
            choice = int(sums.searchsorted(canvas.rng.random() * sums[-1], side="right"))
            point: Point = tuple(points[choice].tolist())
            angle = float(_circle(radius)[1][chosen[choice]])
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
            _paste(ink, point, self.canvas.stamp(angle)[0] * contrast)


def _moved(point: Point, angle: float, by: float) -> Point:
    # Without the rounding, 3 + 2 sin(180°), which is 3 + 2e-16, would be raised to 4.
    y, x = point[0] + by * sin(radians(angle)), point[1] + by * cos(radians(angle))
    return ceil(round(y, 9)), ceil(round(x, 9))


@lru_cache
def _disc(radius: int) -> np.ndarray:
    y, x = np.mgrid[-radius : radius + 1, -radius : radius + 1]
    return x**2 + y**2 <= radius**2


@lru_cache
def _circle(radius: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the pixels of a circle about the origin, ``(P, 2)``, taken a pixel apart along it; and the angles at which
    they are seen, in degrees, ``(P,)``.
    """
    around = np.arange(0, 2 * pi, 1 / radius)
    points = np.unique(np.floor(radius * np.stack([np.sin(around), np.cos(around)], 1)).astype(int), axis=0)
    points = points[(points != 0).any(1)]
    return points, np.degrees(np.arctan2(points[:, 0], points[:, 1]))


@lru_cache(maxsize=8192)
def _candidates(size: int, radius: int, margin: int, pivot: Point) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the pixels of the circle about a pivot that lie inside the image, their numbers on the circle, and the
    places within ``margin`` of each, ``(P, Q)``, in a flattened image with a rim.
    """
    points = _circle(radius)[0] + pivot
    chosen = np.flatnonzero(((points >= 0) & (points < size)).all(1))
    nearby = points[chosen, None] + np.argwhere(_disc(margin))
    return points[chosen], chosen, nearby @ [size + 2 * margin, 1]


@lru_cache(maxsize=4096)
def _straightness(continuity: float, radius: int, angle: float) -> np.ndarray:
    """Return how straight a snake that comes at ``angle`` goes on, to each pixel of the circle, 0 to 1."""
    turns = np.abs((_circle(radius)[1] - angle + 180) % 360 - 180)
    return np.cos(np.minimum(continuity * np.radians(turns), pi / 2)) ** 2


@lru_cache(maxsize=4096)
def _stamp(segment: int, width: float, margin: int, angle: float) -> tuple[np.ndarray, np.ndarray]:
    """Return ink and halo of a dash from the centre of a square towards ``angle``, each in 0 to 1."""
    half = segment + ceil(width) + margin
    centre = half * OVERSAMPLING
    canvas = Image.new("L", (2 * centre + 1, 2 * centre + 1))
    end = _moved((centre, centre), angle, segment * OVERSAMPLING)
    ImageDraw.Draw(canvas).line([(centre, centre), end[::-1]], fill=255, width=round(width * OVERSAMPLING))
    halo = ndimage.grey_dilation(np.asarray(canvas), footprint=_disc(margin * OVERSAMPLING))
    return _reduced(canvas, 2 * half + 1), _reduced(Image.fromarray(halo), 2 * half + 1)


@lru_cache
def _disc_stamp(radius: float) -> np.ndarray:
    half = ceil(radius) + 1
    centre, reach = half * OVERSAMPLING, radius * OVERSAMPLING
    canvas = Image.new("L", (2 * centre + 1, 2 * centre + 1))
    # Pillow counts both ends of a box in.
    box = [centre - reach, centre - reach, centre + reach - 1, centre + reach - 1]
    ImageDraw.Draw(canvas).ellipse(box, fill=255)
    return _reduced(canvas, 2 * half + 1)


def _reduced(image: Image.Image, side: int) -> np.ndarray:
    return np.asarray(image.resize((side, side), Image.Resampling.LANCZOS), np.float32) / 255


@lru_cache(maxsize=1024)
def _footprint(task: Task, margin: int, angle: int) -> list[Point] | None:
    """Return the cells that a dash towards ``angle`` covers, from a corner of the square of half side ``segment +
    margin`` around it, None where some pixel's lie wholly outside the image.
    """
    reach = task.segment + margin
    window = np.zeros((2 * reach + 1, 2 * reach + 1), np.float32)
    _paste(window, (reach + 1, reach + 1), _stamp(task.segment, task.width, margin, angle)[1])
    cells = np.argwhere(window >= 1)
    corners = np.array([[y, x] for y in (0, task.size - 1) for x in (0, task.size - 1)])
    # A cell that is inside for the nearest corner is inside for the pixel.
    covered = corners[:, None] + cells - reach
    inside = np.all((covered >= 0) & (covered < task.size), axis=2)
    if not np.any(inside, axis=1).all():
        return None
    return [(int(y), int(x)) for y, x in cells]


def _paste(onto: np.ndarray, point: Point, stamp: np.ndarray) -> None:
    """Put a stamp, centred on ``point`` and clipped at the edges, onto a square image, by maximum."""
    window, part = _overlap(onto, point, stamp)
    np.maximum(window, part, out=window)


def _overlap(onto: np.ndarray, point: Point, stamp: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the part of an image that a stamp centred on ``point`` covers, and the part of the stamp on it."""
    half, size, (y, x) = stamp.shape[0] // 2, onto.shape[0], point
    top, left, bottom, right = max(y - half, 0), max(x - half, 0), min(y + half + 1, size), min(x + half + 1, size)
    return (
        onto[top:bottom, left:right],
        stamp[top - y + half : bottom - y + half, left - x + half : right - x + half],
    )


def _set_band(mask: np.ndarray, width: int) -> None:
    mask[:width] = mask[-width:] = 1
    mask[:, :width] = mask[:, -width:] = 1
