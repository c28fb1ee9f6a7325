"""Time integrators: the contract, and one scheme a file."""

from wavezoo.wave.integrators.base import Integrator
from wavezoo.wave.integrators.exact import Exact
from wavezoo.wave.integrators.explicit_euler import ExplicitEuler
from wavezoo.wave.integrators.implicit_midpoint import ImplicitMidpoint
from wavezoo.wave.integrators.rk4 import RK4
from wavezoo.wave.integrators.ruth3 import Ruth3
from wavezoo.wave.integrators.symplectic_euler import SymplecticEuler
from wavezoo.wave.integrators.trigonometric import Trigonometric
from wavezoo.wave.integrators.velocity_verlet import VelocityVerlet
from wavezoo.wave.integrators.yoshida4 import Yoshida4

__all__ = [
    "RK4",
    "Exact",
    "ExplicitEuler",
    "ImplicitMidpoint",
    "Integrator",
    "Ruth3",
    "SymplecticEuler",
    "Trigonometric",
    "VelocityVerlet",
    "Yoshida4",
]
