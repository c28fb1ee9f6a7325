"""The schemes that ship with wavezoo, registered as any plugin registers its own."""

from collections.abc import Mapping

from wavezoo.contracts import Damping, Integrator, Laplacian, ParameterField
from wavezoo.damping.exponential import ExponentialDamping
from wavezoo.damping.linear import LinearDamping
from wavezoo.damping.midpoint import MidpointDamping
from wavezoo.damping.none import NoDamping
from wavezoo.fields.constant import ConstantField
from wavezoo.fields.depthwise import DepthwiseField
from wavezoo.fields.pointwise import PointwiseField
from wavezoo.fields.positional import PositionalField
from wavezoo.hookspecs import hookimpl
from wavezoo.integrators.explicit_euler import ExplicitEuler
from wavezoo.integrators.rk4 import RK4
from wavezoo.integrators.ruth3 import Ruth3
from wavezoo.integrators.symplectic_euler import SymplecticEuler
from wavezoo.integrators.velocity_verlet import VelocityVerlet
from wavezoo.integrators.yoshida4 import Yoshida4
from wavezoo.laplacians.cosine import CosineLaplacian
from wavezoo.laplacians.finite_difference import FiniteDifferenceLaplacian
from wavezoo.laplacians.sine import SineLaplacian
from wavezoo.laplacians.spectral import SpectralLaplacian


@hookimpl
def wavezoo_laplacians() -> Mapping[str, type[Laplacian]]:
    return {
        "spectral": SpectralLaplacian,
        "cosine": CosineLaplacian,
        "sine": SineLaplacian,
        "finite_difference": FiniteDifferenceLaplacian,
    }


@hookimpl
def wavezoo_integrators() -> Mapping[str, type[Integrator]]:
    return {
        "velocity_verlet": VelocityVerlet,
        "symplectic_euler": SymplecticEuler,
        "ruth3": Ruth3,
        "yoshida4": Yoshida4,
        "rk4": RK4,
        "explicit_euler": ExplicitEuler,
    }


@hookimpl
def wavezoo_fields() -> Mapping[str, type[ParameterField]]:
    return {
        "pointwise": PointwiseField,
        "constant": ConstantField,
        "depthwise": DepthwiseField,
        "positional": PositionalField,
    }


@hookimpl
def wavezoo_damping() -> Mapping[str, type[Damping]]:
    return {
        "exponential": ExponentialDamping,
        "linear": LinearDamping,
        "midpoint": MidpointDamping,
        "none": NoDamping,
    }
