"""Wave-equation layers for PyTorch: a differentiable wave operator, its swappable schemes, and backbones."""

from importlib.metadata import version

from wavezoo.config.spec import create_mixer, create_operator
from wavezoo.errors import PluginError, PluginWarning, ReverseWarning, WavezooError
from wavezoo.mixers.base import Mixer
from wavezoo.models.dense import WavePDEDense
from wavezoo.models.entry import ModelEntry
from wavezoo.models.registry import create_model, create_sequence_model
from wavezoo.models.sequence import WavePDESequence
from wavezoo.models.wavepde import WavePDE
from wavezoo.plugins.hooks import hookimpl
from wavezoo.plugins.loading import load_plugin, register
from wavezoo.wave.damping.base import Damping, Kick
from wavezoo.wave.drifts.base import Drift
from wavezoo.wave.fields.base import ParameterField
from wavezoo.wave.integrators.base import Integrator
from wavezoo.wave.laplacians.base import Laplacian
from wavezoo.wave.operator import Trajectory, WaveOperator
from wavezoo.wave.potentials.base import Potential
from wavezoo.wave.scheme import Requires
from wavezoo.wave.spectral.modes import Modes
from wavezoo.wave.system import WaveState, WaveSystem

__all__ = [
    "Damping",
    "Drift",
    "Integrator",
    "Kick",
    "Laplacian",
    "Mixer",
    "ModelEntry",
    "Modes",
    "ParameterField",
    "PluginError",
    "PluginWarning",
    "Potential",
    "Requires",
    "ReverseWarning",
    "Trajectory",
    "WaveOperator",
    "WavePDE",
    "WavePDEDense",
    "WavePDESequence",
    "WaveState",
    "WaveSystem",
    "WavezooError",
    "create_mixer",
    "create_model",
    "create_operator",
    "create_sequence_model",
    "hookimpl",
    "load_plugin",
    "register",
]

__version__ = version("wavezoo")
