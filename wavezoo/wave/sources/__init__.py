"""Sources: the contract, and one scheme a file."""

from wavezoo.wave.sources.base import Source
from wavezoo.wave.sources.cubic import CubicSource
from wavezoo.wave.sources.klein_gordon import KleinGordonSource
from wavezoo.wave.sources.none import NoSource
from wavezoo.wave.sources.sine_gordon import SineGordonSource

__all__ = [
    "CubicSource",
    "KleinGordonSource",
    "NoSource",
    "SineGordonSource",
    "Source",
]
