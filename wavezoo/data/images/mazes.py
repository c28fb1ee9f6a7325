"""Mazes, and how far it is from one of their cells to the others.

Shapes: maps ``(size, size)``, boolean, True where a cell is free; distances likewise, float32.
"""

import numpy as np

# Passages are walled up until no part holds more of the free cells.
LARGEST_SHARE = 0.55
# Close to where a part that spans the grid appears, at 0.593 on a square lattice.
PERCOLATION = 0.6


def depth_first_maze(size: int, rng: np.random.Generator) -> np.ndarray:
    """Draw a maze by depth-first search, with passages walled up at random until it falls into several parts.

    Rooms are the cells with two odd indices; a search that goes on from the last room to a random neighbour, and back
    where there is none, joins them to one tree. Random passages of the largest part are walled up until
    it holds `LARGEST_SHARE` of the free cells at most.

    Args:
        size: side of the maze with its outer walls, odd.
        rng: decides on all.
    """
    width = size + 1
    free = bytearray(width * width)
    # Rooms on the outer wall and beyond count as visited.
    closed = bytearray(b"\x01" * (width * width))
    rooms = [row * width + column for row in range(1, size, 2) for column in range(1, size, 2)]
    for room in rooms:
        closed[room] = 0
    draws = iter(rng.random(2 * len(rooms) + 1).tolist())
    path = [rooms[int(next(draws) * len(rooms))]]
    free[path[0]] = closed[path[0]] = 1
    passages = []
    while path:
        here = path[-1]
        ways = [step for step in (1, -1, width, -width) if not closed[(here + 2 * step) % len(closed)]]
        if not ways:
            path.pop()
            continue
        step = ways[int(next(draws) * len(ways))]
        passages.append(here + step)
        free[here + step] = free[here + 2 * step] = closed[here + 2 * step] = 1
        path.append(here + 2 * step)
    _wall_up(free, width, passages, rng)
    return np.frombuffer(free, np.uint8).reshape(width, width)[:size, :size].astype(bool)


def percolation(size: int, rng: np.random.Generator) -> np.ndarray:
    """Draw a map whose cells are free with probability `PERCOLATION`, each by itself."""
    free: np.ndarray = rng.random((size, size)) < PERCOLATION
    return free


def parts(free: np.ndarray) -> list[np.ndarray]:
    """Return the connected parts of a map, the largest first: the flat indices of the cells of each.

    Cells are connected where they share a side.
    """
    cells, width = _padded(free)
    found = []
    for start in range(len(cells)):
        if cells[start]:
            part = [cell for ring in _rings(cells, width, start) for cell in ring]
            found.append(_unpadded(part, width))
    return sorted(found, key=len, reverse=True)


def distances(free: np.ndarray, start: int) -> np.ndarray:
    """Return the length of the shortest path from one cell to each, in cells: inf where none leads, NaN at walls.

    Args:
        free: the map.
        start: the flat index of a free cell.
    """
    lengths = np.where(free, np.inf, np.nan).astype(np.float32)
    cells, width = _padded(free)
    row, column = divmod(start, free.shape[1])
    for length, ring in enumerate(_rings(cells, width, row * width + column)):
        lengths.flat[_unpadded(ring, width)] = length
    return lengths


def _wall_up(free: bytearray, width: int, passages: list[int], rng: np.random.Generator) -> None:
    """Close random passages of the largest part until it holds no more than `LARGEST_SHARE` of the free cells."""
    largest = _largest(free, width, passages)
    for number in rng.permutation(len(passages)).tolist():
        if len(largest) <= LARGEST_SHARE * sum(free):
            return
        if passages[number] in largest:
            free[passages[number]] = 0
            largest = _largest(free, width, passages)


def _largest(free: bytearray, width: int, passages: list[int]) -> set[int]:
    """Return the cells of the largest part that has a passage."""
    cells = bytearray(free)
    found: list[list[int]] = [
        [cell for ring in _rings(cells, width, start) for cell in ring] for start in passages if cells[start]
    ]
    _, largest = max((len(part), part) for part in found)
    return set(largest)


def _padded(free: np.ndarray) -> tuple[bytearray, int]:
    """Return a map as bytes, row after row, with a wall below and on the right; and the length of its rows."""
    padded = np.pad(free, ((0, 1), (0, 1)))
    return bytearray(padded.tobytes()), padded.shape[1]


def _unpadded(cells: list[int], width: int) -> np.ndarray:
    rows, columns = np.divmod(np.array(cells, np.int64), width)
    return rows * (width - 1) + columns


def _rings(cells: bytearray, width: int, start: int) -> list[list[int]]:
    """Return the cells at each distance from one, nearest first, and take them out of ``cells``."""
    # A step up from the first row, or left from the first column, counts from the end: the wall there.
    cells[start] = 0
    ring, rings = [start], []
    while ring:
        rings.append(ring)
        following = []
        for cell in ring:
            for near in (cell + 1, cell - 1, cell + width, cell - width):
                if cells[near]:
                    cells[near] = 0
                    following.append(near)
        ring = following
    return rings
