"""How an image of tetrominoes is drawn.

Shapes: images ``(size, size, 3)`` and masks ``(size, size)``, uint8.
"""

import numpy as np

# In the order of their classes, 1 to 5. The last two are drawn as they stand here or mirrored.
PIECES = {
    "I": np.array([[1, 1, 1, 1]]),
    "O": np.array([[1, 1], [1, 1]]),
    "T": np.array([[1, 1, 1], [0, 1, 0]]),
    "S/Z": np.array([[0, 1, 1], [1, 1, 0]]),
    "J/L": np.array([[1, 0, 0], [1, 1, 1]]),
}
MIRRORED = ("S/Z", "J/L")
FRAME_BRIGHTNESS = 1.5
# Places that are tried for a piece before all are placed anew.
TRIES = 50


def draw(size: int, tile: int, *seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Draw an image and its mask: of each pixel, the class of the piece that it belongs to, 0 for the background.

    One to five different pieces, turned by random quarters, S/Z and J/L mirrored with probability 1/2, in colours drawn
    uniformly, without overlap, on black. A piece is four square tiles, each with a frame of a pixel in the piece's
    colour, half as bright again (Jacobs et al. 2025).

    Args:
        size: side of the image, in pixels.
        tile: side of a tile, in pixels.
        *seed: the same numbers give the same image.
    """
    rng = np.random.default_rng(seed)
    chosen = rng.permutation(len(PIECES))[: rng.integers(1, len(PIECES) + 1)]
    while True:
        image, mask = np.zeros((size, size, 3), np.uint8), np.zeros((size, size), np.uint8)
        if all(_place(image, mask, int(number), tile, rng) for number in chosen):
            return image, mask


def _place(image: np.ndarray, mask: np.ndarray, number: int, tile: int, rng: np.random.Generator) -> bool:
    """Draw a piece where it overlaps no other; return whether a place was found."""
    name = list(PIECES)[number]
    piece = np.rot90(PIECES[name], rng.integers(4))
    if name in MIRRORED and rng.random() < 0.5:
        piece = piece[:, ::-1]
    covered = piece.repeat(tile, 0).repeat(tile, 1).astype(bool)
    height, width = covered.shape
    for _ in range(TRIES):
        top, left = rng.integers(mask.shape[0] - height + 1), rng.integers(mask.shape[1] - width + 1)
        window = np.s_[top : top + height, left : left + width]
        if not mask[window][covered].any():
            break
    else:
        return False
    mask[window][covered] = number + 1
    image[window][covered] = np.tile(_tile(tile, rng), (*piece.shape, 1))[covered]
    return True


def _tile(side: int, rng: np.random.Generator) -> np.ndarray:
    """Return a tile of a random colour, ``(side, side, 3)``."""
    colour = rng.integers(256, size=3)
    framed = np.broadcast_to(np.minimum(colour * FRAME_BRIGHTNESS, 255), (side, side, 3)).astype(np.uint8)
    framed[1:-1, 1:-1] = colour
    return framed
