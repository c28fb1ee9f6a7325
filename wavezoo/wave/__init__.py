"""The wave layer, usable by itself: it needs torch, and of wavezoo nothing but the errors."""

from wavezoo.wave.damping import *  # noqa: F403
from wavezoo.wave.damping import __all__ as _damping
from wavezoo.wave.fields import *  # noqa: F403
from wavezoo.wave.fields import __all__ as _fields
from wavezoo.wave.flows import *  # noqa: F403
from wavezoo.wave.flows import __all__ as _flows
from wavezoo.wave.integrators import *  # noqa: F403
from wavezoo.wave.integrators import __all__ as _integrators
from wavezoo.wave.laplacians import *  # noqa: F403
from wavezoo.wave.laplacians import __all__ as _laplacians
from wavezoo.wave.operator import Trajectory, WaveOperator
from wavezoo.wave.scheme import Grid, Requires, Scheme
from wavezoo.wave.sources import *  # noqa: F403
from wavezoo.wave.sources import __all__ as _sources
from wavezoo.wave.spectral.modes import Modes
from wavezoo.wave.system import WaveState, WaveSystem

__all__ = [
    *_damping,
    *_fields,
    *_flows,
    *_integrators,
    *_laplacians,
    *_sources,
    "Grid",
    "Modes",
    "Requires",
    "Scheme",
    "Trajectory",
    "WaveOperator",
    "WaveState",
    "WaveSystem",
]
