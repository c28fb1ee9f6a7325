"""The shapes that images of Pathfinder are put together from, computed once each.

Points are integer ``(y, x)``; angles are whole degrees.
"""

from functools import lru_cache
from math import ceil, cos, pi, radians, sin

import numpy as np
from PIL import Image, ImageDraw
from scipy import ndimage

from wavezoo.data.sequences.pathfinder_task import Task

OVERSAMPLING = 2

Point = tuple[int, int]


def moved(point: Point, angle: float, by: float) -> Point:
    """Return the point that lies ``by`` pixels from another, towards ``angle``."""
    # Without the rounding, 3 + 2 sin(180°), which is 3 + 2e-16, would be raised to 4.
    y, x = point[0] + by * sin(radians(angle)), point[1] + by * cos(radians(angle))
    return ceil(round(y, 9)), ceil(round(x, 9))


@lru_cache
def _disc(radius: int) -> np.ndarray:
    y, x = np.mgrid[-radius : radius + 1, -radius : radius + 1]
    return x**2 + y**2 <= radius**2


@lru_cache
def circle(radius: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the pixels of a circle about the origin, ``(P, 2)``, taken a pixel apart along it; and the angles at which
    they are seen, in degrees, ``(P,)``.
    """
    around = np.arange(0, 2 * pi, 1 / radius)
    points = np.unique(np.floor(radius * np.stack([np.sin(around), np.cos(around)], 1)).astype(int), axis=0)
    points = points[(points != 0).any(1)]
    return points, np.degrees(np.arctan2(points[:, 0], points[:, 1]))


@lru_cache(maxsize=8192)
def candidates(size: int, radius: int, margin: int, pivot: Point) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the pixels of the circle about a pivot that lie inside the image, their numbers on the circle, and the
    places within ``margin`` of each, ``(P, Q)``, in a flattened image with a rim.
    """
    points = circle(radius)[0] + pivot
    chosen = np.flatnonzero(((points >= 0) & (points < size)).all(1))
    nearby = points[chosen, None] + np.argwhere(_disc(margin))
    return points[chosen], chosen, nearby @ [size + 2 * margin, 1]


@lru_cache(maxsize=4096)
def straightness(continuity: float, radius: int, angle: float) -> np.ndarray:
    """Return how straight a snake that comes at ``angle`` goes on, to each pixel of the circle, 0 to 1."""
    turns = np.abs((circle(radius)[1] - angle + 180) % 360 - 180)
    return np.cos(np.minimum(continuity * np.radians(turns), pi / 2)) ** 2


@lru_cache(maxsize=4096)
def dash_stamp(segment: int, width: float, margin: int, angle: float) -> tuple[np.ndarray, np.ndarray]:
    """Return ink and halo of a dash from the centre of a square towards ``angle``, each in 0 to 1."""
    half = segment + ceil(width) + margin
    centre = half * OVERSAMPLING
    canvas = Image.new("L", (2 * centre + 1, 2 * centre + 1))
    end = moved((centre, centre), angle, segment * OVERSAMPLING)
    ImageDraw.Draw(canvas).line([(centre, centre), end[::-1]], fill=255, width=round(width * OVERSAMPLING))
    halo = ndimage.grey_dilation(np.asarray(canvas), footprint=_disc(margin * OVERSAMPLING))
    return _reduced(canvas, 2 * half + 1), _reduced(Image.fromarray(halo), 2 * half + 1)


@lru_cache
def disc_stamp(radius: float) -> np.ndarray:
    """Return the ink of a disc, in 0 to 1."""
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
def footprint(task: Task, margin: int, angle: int) -> list[Point] | None:
    """Return the cells that a dash towards ``angle`` covers, from a corner of the square of half side ``segment +
    margin`` around it, None where some pixel's lie wholly outside the image.
    """
    reach = task.segment + margin
    window = np.zeros((2 * reach + 1, 2 * reach + 1), np.float32)
    paste(window, (reach + 1, reach + 1), dash_stamp(task.segment, task.width, margin, angle)[1])
    cells = np.argwhere(window >= 1)
    corners = np.array([[y, x] for y in (0, task.size - 1) for x in (0, task.size - 1)])
    # A cell that is inside for the nearest corner is inside for the pixel.
    covered = corners[:, None] + cells - reach
    inside = np.all((covered >= 0) & (covered < task.size), axis=2)
    if not np.any(inside, axis=1).all():
        return None
    return [(int(y), int(x)) for y, x in cells]


def paste(onto: np.ndarray, point: Point, stamp: np.ndarray) -> None:
    """Put a stamp, centred on ``point`` and clipped at the edges, onto a square image, by maximum."""
    window, part = overlap(onto, point, stamp)
    np.maximum(window, part, out=window)


def overlap(onto: np.ndarray, point: Point, stamp: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the part of an image that a stamp centred on ``point`` covers, and the part of the stamp on it."""
    half, size, (y, x) = stamp.shape[0] // 2, onto.shape[0], point
    top, left, bottom, right = max(y - half, 0), max(x - half, 0), min(y + half + 1, size), min(x + half + 1, size)
    return (
        onto[top:bottom, left:right],
        stamp[top - y + half : bottom - y + half, left - x + half : right - x + half],
    )


def set_band(mask: np.ndarray, width: int) -> None:
    """Set a band along the edges of a mask to 1."""
    mask[:width] = mask[-width:] = 1
    mask[:, :width] = mask[:, -width:] = 1
