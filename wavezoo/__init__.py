"""Wave-equation layers for PyTorch: a differentiable wave operator, its swappable schemes, and backbones."""

from importlib.metadata import version

from wavezoo.build import create_mixer, create_operator
from wavezoo.contracts import (
    Damping,
    Flow,
    Integrator,
    Kick,
    Laplacian,
    Mixer,
    Modes,
    ParameterField,
    Requires,
    Source,
    WaveState,
    WaveSystem,
)
from wavezoo.errors import PluginError, PluginWarning, ReverseWarning, WavezooError
from wavezoo.hookspecs import hookimpl
from wavezoo.models.sequence import WavePDESequence, create_sequence_model
from wavezoo.models.wavepde import WavePDE
from wavezoo.operator import Trajectory, WaveOperator
from wavezoo.plugins import load as load_plugin
from wavezoo.plugins import register

__all__ = [
    "Damping",
    "Flow",
    "Integrator",
    "Kick",
    "Laplacian",
    "Mixer",
    "Modes",
    "ParameterField",
    "PluginError",
    "PluginWarning",
    "Requires",
    "ReverseWarning",
    "Source",
    "Trajectory",
    "WaveOperator",
    "WavePDE",
    "WavePDESequence",
    "WaveState",
    "WaveSystem",
    "WavezooError",
    "create_mixer",
    "create_operator",
    "create_sequence_model",
    "hookimpl",
    "load_plugin",
    "register",
]

__version__ = version("wavezoo")
