"""Wave-equation layers for PyTorch: a differentiable wave operator, its swappable schemes, and backbones.

What the package offers is imported when it is first asked for, so that the command line starts at once.
"""

import importlib
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from wavezoo.errors import PluginError, PluginWarning, ReverseWarning, WavezooError
from wavezoo.models.deferred import register_with_timm

if TYPE_CHECKING:
    from wavezoo.config.spec import create_mixer, create_operator
    from wavezoo.mixers import Mixer, RecurrentMixer
    from wavezoo.models.dense import WavePDEDense
    from wavezoo.models.entry import ModelEntry
    from wavezoo.models.image import WavePDE
    from wavezoo.models.language import WavePDELanguage
    from wavezoo.models.registry import create_language_model, create_model, create_sequence_model
    from wavezoo.models.sampling import Sampling
    from wavezoo.models.sequence import WavePDESequence
    from wavezoo.plugins.hooks import hookimpl
    from wavezoo.plugins.loading import load_plugin, register
    from wavezoo.train.evaluate import load_run
    from wavezoo.wave import (
        Damping,
        Drift,
        Integrator,
        Kick,
        Laplacian,
        Modes,
        ParameterField,
        Potential,
        Requires,
        Trajectory,
        WaveOperator,
        WaveState,
        WaveSystem,
    )

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
    "RecurrentMixer",
    "Requires",
    "ReverseWarning",
    "Sampling",
    "Trajectory",
    "WaveOperator",
    "WavePDE",
    "WavePDEDense",
    "WavePDELanguage",
    "WavePDESequence",
    "WaveState",
    "WaveSystem",
    "WavezooError",
    "create_language_model",
    "create_mixer",
    "create_model",
    "create_operator",
    "create_sequence_model",
    "hookimpl",
    "load_plugin",
    "load_run",
    "register",
]

__version__ = version("wavezoo")

# Where each of these stands; for type checkers, above.
_PLACES = {
    "wavezoo.config.spec": ("create_mixer", "create_operator"),
    "wavezoo.mixers": ("Mixer", "RecurrentMixer"),
    "wavezoo.models.dense": ("WavePDEDense",),
    "wavezoo.models.entry": ("ModelEntry",),
    "wavezoo.models.image": ("WavePDE",),
    "wavezoo.models.language": ("WavePDELanguage",),
    "wavezoo.models.registry": ("create_language_model", "create_model", "create_sequence_model"),
    "wavezoo.models.sampling": ("Sampling",),
    "wavezoo.models.sequence": ("WavePDESequence",),
    "wavezoo.plugins.hooks": ("hookimpl",),
    "wavezoo.plugins.loading": ("load_plugin", "register"),
    "wavezoo.train.evaluate": ("load_run",),
    "wavezoo.wave": (
        "Damping",
        "Drift",
        "Integrator",
        "Kick",
        "Laplacian",
        "Modes",
        "ParameterField",
        "Potential",
        "Requires",
        "Trajectory",
        "WaveOperator",
        "WaveState",
        "WaveSystem",
    ),
}
_PLACE_OF = {name: module for module, names in _PLACES.items() for name in names}


def __getattr__(name: str) -> Any:
    if name not in _PLACE_OF:
        raise AttributeError(f"module 'wavezoo' has no attribute {name!r}")
    value = getattr(importlib.import_module(_PLACE_OF[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


register_with_timm()
