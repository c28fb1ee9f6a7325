"""Flows of the medium: the contract, and one scheme a file."""

from wavezoo.wave.flows.base import Flow
from wavezoo.wave.flows.none import NoFlow
from wavezoo.wave.flows.uniform import UniformFlow

__all__ = [
    "Flow",
    "NoFlow",
    "UniformFlow",
]
