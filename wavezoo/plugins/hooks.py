"""The hooks that a plugin may implement: one per axis, each returning schemes by name."""

from collections.abc import Mapping

import pluggy

from wavezoo.mixers.base import Mixer
from wavezoo.wave.damping.base import Damping
from wavezoo.wave.drifts.base import Drift
from wavezoo.wave.fields.base import ParameterField
from wavezoo.wave.integrators.base import Integrator
from wavezoo.wave.laplacians.base import Laplacian
from wavezoo.wave.potentials.base import Potential

PROJECT = "wavezoo"

hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


@hookspec
def wavezoo_laplacians() -> Mapping[str, type[Laplacian]]:  # type: ignore[empty-body]
    """Return discrete Laplacians by name.

    Each is a final subclass of `wavezoo.Laplacian` and is built as ``cls(channels, ndim, **options)``.
    """


@hookspec
def wavezoo_integrators() -> Mapping[str, type[Integrator]]:  # type: ignore[empty-body]
    """Return time integrators by name.

    Each is a final subclass of `wavezoo.Integrator` and is built as ``cls(**options)``.
    """


@hookspec
def wavezoo_fields() -> Mapping[str, type[ParameterField]]:  # type: ignore[empty-body]
    """Return parameter fields by name; they serve for the speed and for the damping.

    Each is a final subclass of `wavezoo.ParameterField` and is built as ``cls(channels, ndim, initial=…, **options)``.
    """


@hookspec
def wavezoo_damping() -> Mapping[str, type[Damping]]:  # type: ignore[empty-body]
    """Return damping schemes by name.

    Each is a final subclass of `wavezoo.Damping` and is built as ``cls(**options)``.
    """


@hookspec
def wavezoo_potentials() -> Mapping[str, type[Potential]]:  # type: ignore[empty-body]
    """Return potentials by name.

    Each is a final subclass of `wavezoo.Potential` and is built as ``cls(channels, ndim, **options)``.
    """


@hookspec
def wavezoo_drifts() -> Mapping[str, type[Drift]]:  # type: ignore[empty-body]
    """Return drifts of the medium by name.

    Each is a final subclass of `wavezoo.Drift` and is built as ``cls(channels, ndim, **options)``.
    """


@hookspec
def wavezoo_mixers() -> Mapping[str, type[Mixer]]:  # type: ignore[empty-body]
    """Return mixers of positions by name: what stands where the wave operator does in a block.

    Each is a final subclass of `wavezoo.Mixer` and is built as ``cls(channels, ndim, causal=…, **options)``; one with
    an option ``operator`` is handed the wave operator that the model's options describe.
    """
