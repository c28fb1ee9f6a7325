"""How a wave is read: at its end, or as a whole trajectory."""

from wavezoo.wave.readouts.base import Looks, ReadOut, Wave
from wavezoo.wave.readouts.final import Displacement, Projected, Velocity
from wavezoo.wave.readouts.trajectory import TrajectoryProjection, TrajectorySum

READOUTS: dict[str, type[ReadOut]] = {
    "displacement": Displacement,
    "velocity": Velocity,
    "projected": Projected,
    "trajectory": TrajectorySum,
    "trajectory_projected": TrajectoryProjection,
}

__all__ = [
    "READOUTS",
    "Displacement",
    "Looks",
    "Projected",
    "ReadOut",
    "TrajectoryProjection",
    "TrajectorySum",
    "Velocity",
    "Wave",
]
