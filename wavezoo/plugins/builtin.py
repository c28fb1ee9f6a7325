"""What ships with wavezoo, registered as any plugin registers its own."""

from collections.abc import Mapping
from typing import Any

from wavezoo.mixers.attention import AttentionMixer
from wavezoo.mixers.base import Mixer
from wavezoo.mixers.depthwise import DepthwiseMixer
from wavezoo.mixers.global_filter import GlobalFilterMixer
from wavezoo.mixers.none import NoMixer
from wavezoo.mixers.pooling import PoolingMixer
from wavezoo.mixers.s4d import S4DMixer
from wavezoo.mixers.string import StringMixer
from wavezoo.mixers.wave import WaveMixer
from wavezoo.plugins.hooks import hookimpl
from wavezoo.wave.damping.base import Damping
from wavezoo.wave.damping.exponential import ExponentialDamping
from wavezoo.wave.damping.linear import LinearDamping
from wavezoo.wave.damping.midpoint import MidpointDamping
from wavezoo.wave.damping.none import NoDamping
from wavezoo.wave.damping.viscous import ViscousDamping
from wavezoo.wave.drifts.base import Drift
from wavezoo.wave.drifts.uniform import UniformDrift
from wavezoo.wave.fields.base import ParameterField
from wavezoo.wave.fields.constant import ConstantField
from wavezoo.wave.fields.depthwise import DepthwiseField
from wavezoo.wave.fields.fourier import FourierField
from wavezoo.wave.fields.gated import GatedField
from wavezoo.wave.fields.pointwise import PointwiseField
from wavezoo.wave.fields.positional import PositionalField
from wavezoo.wave.fields.sponge import SpongeField
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
from wavezoo.wave.laplacians.anisotropic import AnisotropicLaplacian
from wavezoo.wave.laplacians.base import Laplacian
from wavezoo.wave.laplacians.cosine import CosineLaplacian
from wavezoo.wave.laplacians.finite_difference import FiniteDifferenceLaplacian
from wavezoo.wave.laplacians.fractional import FractionalLaplacian
from wavezoo.wave.laplacians.graph import GraphLaplacian
from wavezoo.wave.laplacians.learned_stencil import LearnedStencilLaplacian
from wavezoo.wave.laplacians.open import OpenLaplacian
from wavezoo.wave.laplacians.sine import SineLaplacian
from wavezoo.wave.laplacians.spectral import SpectralLaplacian
from wavezoo.wave.potentials.base import Potential
from wavezoo.wave.potentials.cubic import CubicPotential
from wavezoo.wave.potentials.klein_gordon import KleinGordonPotential
from wavezoo.wave.potentials.sine_gordon import SineGordonPotential


@hookimpl
def wavezoo_laplacians() -> Mapping[str, type[Laplacian]]:
    return {
        "spectral": SpectralLaplacian,
        "cosine": CosineLaplacian,
        "sine": SineLaplacian,
        "open": OpenLaplacian,
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
        "gated": GatedField,
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
def wavezoo_potentials() -> Mapping[str, type[Potential]]:
    return {
        "klein_gordon": KleinGordonPotential,
        "sine_gordon": SineGordonPotential,
        "cubic": CubicPotential,
    }


@hookimpl
def wavezoo_drifts() -> Mapping[str, type[Drift]]:
    return {
        "uniform": UniformDrift,
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
        "s4d": S4DMixer,
        "string": StringMixer,
    }


@hookimpl
def wavezoo_datasets() -> Mapping[str, Any]:
    from wavezoo.data.builtin import DATASETS

    return DATASETS


@hookimpl
def wavezoo_models() -> Mapping[str, Any]:
    from wavezoo.models import dense, image, language, sequence

    return {**image.ENTRIES, **sequence.ENTRIES, **dense.ENTRIES, **language.ENTRIES}


@hookimpl
def wavezoo_tasks() -> Mapping[str, Any]:
    from wavezoo.tasks import Classification, Language, Reach, Regression, Segmentation

    return {
        "classification": Classification,
        "segmentation": Segmentation,
        "regression": Regression,
        "reach": Reach,
        "language": Language,
    }
