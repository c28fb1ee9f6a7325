"""Pictures of any depth as arrays of bytes."""

import numpy as np
from PIL import Image

# Formats whose grey values of more than 8 bits Pillow scales to 16, though it keeps them in 32.
SIXTEEN_BITS = ("PNG", "PPM")


def eight_bits(picture: Image.Image, mode: str) -> Image.Image:
    """Return a picture in one of Pillow's modes of 8 bits.

    Args:
        picture: of any mode; 16 bits of grey, which Pillow would clip at 255, are scaled.
        mode: ``"RGB"`` or ``"L"``.

    Raises:
        ValueError: if its values are numbers of which nobody knows the range.
    """
    if picture.mode.startswith("I;16") or (picture.mode == "I" and picture.format in SIXTEEN_BITS):
        return Image.fromarray(np.round(np.asarray(picture) / 257).astype(np.uint8)).convert(mode)
    if picture.mode[0] in "IF":
        raise ValueError(f"its values are of Pillow's mode {picture.mode}, of no known range; save 8 or 16 bits")
    return picture.convert(mode)
