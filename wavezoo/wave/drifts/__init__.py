"""Drifts of the medium: the contract, and one scheme a file."""

from wavezoo.wave.drifts.base import Drift
from wavezoo.wave.drifts.uniform import UniformDrift

__all__ = [
    "Drift",
    "UniformDrift",
]
