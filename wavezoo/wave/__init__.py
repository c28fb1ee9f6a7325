"""The wave layer, usable by itself: it needs torch, and of wavezoo nothing but the errors."""

from wavezoo.wave.damping import *  # noqa: F403
from wavezoo.wave.damping import __all__ as _damping
from wavezoo.wave.drifts import *  # noqa: F403
from wavezoo.wave.drifts import __all__ as _drifts
from wavezoo.wave.fields import *  # noqa: F403
from wavezoo.wave.fields import __all__ as _fields
from wavezoo.wave.integrators import *  # noqa: F403
from wavezoo.wave.integrators import __all__ as _integrators
from wavezoo.wave.laplacians import *  # noqa: F403
from wavezoo.wave.laplacians import __all__ as _laplacians
from wavezoo.wave.operator import WaveOperator
from wavezoo.wave.potentials import *  # noqa: F403
from wavezoo.wave.potentials import __all__ as _potentials
from wavezoo.wave.scheme import Grid, Requires, Scheme
from wavezoo.wave.simulation import Trajectory
from wavezoo.wave.spectral.modes import Modes
from wavezoo.wave.system import WaveState, WaveSystem

__all__ = [
    *_damping,
    *_fields,
    *_drifts,
    *_integrators,
    *_laplacians,
    *_potentials,
    "Grid",
    "Modes",
    "Requires",
    "Scheme",
    "Trajectory",
    "WaveOperator",
    "WaveState",
    "WaveSystem",
]
