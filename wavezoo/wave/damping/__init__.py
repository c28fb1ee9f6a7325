"""Damping schemes: the contract, and one scheme a file."""

from wavezoo.wave.damping.base import Damping, Kick, between, closing, opening, whole
from wavezoo.wave.damping.exact_kick import exact_kick
from wavezoo.wave.damping.exponential import ExponentialDamping
from wavezoo.wave.damping.linear import LinearDamping
from wavezoo.wave.damping.midpoint import MidpointDamping
from wavezoo.wave.damping.none import NoDamping
from wavezoo.wave.damping.viscous import ViscousDamping

__all__ = [
    "Damping",
    "ExponentialDamping",
    "Kick",
    "LinearDamping",
    "MidpointDamping",
    "NoDamping",
    "ViscousDamping",
    "between",
    "closing",
    "exact_kick",
    "opening",
    "whole",
]
