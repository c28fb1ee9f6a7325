"""The parameters of the images of Pathfinder and Path-X."""

import struct
from dataclasses import dataclass

# What stands before an image where one process hands it to another: index, label and length in bytes.
HEADER = struct.Struct(">QBI")


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
