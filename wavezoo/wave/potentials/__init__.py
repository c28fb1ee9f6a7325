"""Potentials: the contract, and one scheme a file."""

from wavezoo.wave.potentials.base import Potential
from wavezoo.wave.potentials.cubic import CubicPotential
from wavezoo.wave.potentials.klein_gordon import KleinGordonPotential
from wavezoo.wave.potentials.sine_gordon import SineGordonPotential

__all__ = [
    "CubicPotential",
    "KleinGordonPotential",
    "Potential",
    "SineGordonPotential",
]
