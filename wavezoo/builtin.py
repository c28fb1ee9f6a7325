"""The schemes that ship with wavezoo, registered as any plugin registers its own."""

from collections.abc import Mapping

from wavezoo.contracts import Damping, Flow, Integrator, Laplacian, Mixer, ParameterField, Source
from wavezoo.damping.exponential import ExponentialDamping
from wavezoo.damping.linear import LinearDamping
from wavezoo.damping.midpoint import MidpointDamping
from wavezoo.damping.none import NoDamping
from wavezoo.damping.viscous import ViscousDamping
from wavezoo.fields.constant import ConstantField
from wavezoo.fields.depthwise import DepthwiseField
from wavezoo.fields.fourier import FourierField
from wavezoo.fields.pointwise import PointwiseField
from wavezoo.fields.positional import PositionalField
from wavezoo.fields.sponge import SpongeField
from wavezoo.flows.none import NoFlow
from wavezoo.flows.uniform import UniformFlow
from wavezoo.hookspecs import hookimpl
from wavezoo.integrators.exact import Exact
from wavezoo.integrators.explicit_euler import ExplicitEuler
from wavezoo.integrators.implicit_midpoint import ImplicitMidpoint
from wavezoo.integrators.rk4 import RK4
from wavezoo.integrators.ruth3 import Ruth3
from wavezoo.integrators.symplectic_euler import SymplecticEuler
from wavezoo.integrators.trigonometric import Trigonometric
from wavezoo.integrators.velocity_verlet import VelocityVerlet
from wavezoo.integrators.yoshida4 import Yoshida4
from wavezoo.laplacians.anisotropic import AnisotropicLaplacian
from wavezoo.laplacians.cosine import CosineLaplacian
from wavezoo.laplacians.finite_difference import FiniteDifferenceLaplacian
from wavezoo.laplacians.fractional import FractionalLaplacian
from wavezoo.laplacians.graph import GraphLaplacian
from wavezoo.laplacians.learned_stencil import LearnedStencilLaplacian
from wavezoo.laplacians.sine import SineLaplacian
from wavezoo.laplacians.spectral import SpectralLaplacian
from wavezoo.mixers.attention import AttentionMixer
from wavezoo.mixers.depthwise import DepthwiseMixer
from wavezoo.mixers.global_filter import GlobalFilterMixer
from wavezoo.mixers.none import NoMixer
from wavezoo.mixers.pooling import PoolingMixer
from wavezoo.mixers.wave import WaveMixer
from wavezoo.sources.cubic import CubicSource
from wavezoo.sources.klein_gordon import KleinGordonSource
from wavezoo.sources.none import NoSource
from wavezoo.sources.sine_gordon import SineGordonSource


@hookimpl
def wavezoo_laplacians() -> Mapping[str, type[Laplacian]]:
    return {
        "spectral": SpectralLaplacian,
        "cosine": CosineLaplacian,
        "sine": SineLaplacian,
        "finite_difference": FiniteDifferenceLaplacian,
        "fractional": FractionalLaplacian,
        "anisotropic": AnisotropicLaplacian,
        "learned_stencil": LearnedStencilLaplacian,
        "graph": GraphLaplacian,
    }


@hookimpl
def wavezoo_integrators() -> Mapping[str, type[Integrator]]:
    return {
        "velocity_verlet": VelocityVerlet,
        "symplectic_euler": SymplecticEuler,
        "ruth3": Ruth3,
        "yoshida4": Yoshida4,
        "rk4": RK4,
        "implicit_midpoint": ImplicitMidpoint,
        "exact": Exact,
        "trigonometric": Trigonometric,
        "explicit_euler": ExplicitEuler,
    }


@hookimpl
def wavezoo_fields() -> Mapping[str, type[ParameterField]]:
    return {
        "pointwise": PointwiseField,
        "constant": ConstantField,
        "depthwise": DepthwiseField,
        "positional": PositionalField,
        "fourier": FourierField,
        "sponge": SpongeField,
    }


@hookimpl
def wavezoo_damping() -> Mapping[str, type[Damping]]:
    return {
        "exponential": ExponentialDamping,
        "linear": LinearDamping,
        "midpoint": MidpointDamping,
        "viscous": ViscousDamping,
        "none": NoDamping,
    }


@hookimpl
def wavezoo_sources() -> Mapping[str, type[Source]]:
    return {
        "none": NoSource,
        "klein_gordon": KleinGordonSource,
        "sine_gordon": SineGordonSource,
        "cubic": CubicSource,
    }


@hookimpl
def wavezoo_flows() -> Mapping[str, type[Flow]]:
    return {
        "none": NoFlow,
        "uniform": UniformFlow,
    }


@hookimpl
def wavezoo_mixers() -> Mapping[str, type[Mixer]]:
    return {
        "wave": WaveMixer,
        "attention": AttentionMixer,
        "depthwise": DepthwiseMixer,
        "global_filter": GlobalFilterMixer,
        "pooling": PoolingMixer,
        "none": NoMixer,
    }
