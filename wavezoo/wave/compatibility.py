"""What fits what: the checks of an operator's options and schemes against each other, when it is built."""

from collections.abc import Iterator
from typing import Any, NamedTuple, cast

from torch import Tensor

from wavezoo.errors import UnmetRequirement, WavezooError, not_allowed
from wavezoo.wave.damping.base import Damping
from wavezoo.wave.drifts.base import Drift
from wavezoo.wave.fields.base import ParameterField
from wavezoo.wave.integrators.base import Integrator
from wavezoo.wave.laplacians.base import Laplacian
from wavezoo.wave.potentials.base import Potential
from wavezoo.wave.readouts.base import ReadOut
from wavezoo.wave.scheme import Scheme
from wavezoo.wave.starts import Start


class Schemes(NamedTuple):
    """A choice on every axis of a wave operator; None for no damping field, no potential, a medium at rest."""

    laplacian: Laplacian
    integrator: Integrator
    speed: ParameterField
    damping: Damping
    damping_field: ParameterField | None
    potential: Potential | None
    drift: Drift | None

    def by_axis(self) -> Iterator[tuple[str, Scheme]]:
        """Return every scheme that there is, with the name of its axis."""
        for axis, scheme in (
            ("laplacians", self.laplacian),
            ("integrators", self.integrator),
            ("fields", self.speed),
            ("fields", self.damping_field),
            ("damping", self.damping),
            ("potentials", self.potential),
            ("drifts", self.drift),
        ):
            if scheme is not None:
                yield axis, scheme


def check_schemes(schemes: Schemes, channels: int, *, limits: bool, reverses: bool) -> None:
    """Check that schemes fit each other.

    Args:
        schemes: the schemes.
        channels: number of channels of the operator.
        limits: whether the Courant guard promises stability.
        reverses: whether the backward pass runs the scheme backwards.

    Raises:
        UnmetRequirement: naming the scheme that asks, what it asks for, and the fact that would do.
        WavezooError: if schemes are built for other channels or grid axes, or if there is a damping field and a damping
            that does not use it, or the reverse, or if no step is stable.
    """
    _check_sizes(schemes, channels)
    if schemes.damping.uses_gamma and schemes.damping_field is None:
        raise WavezooError(f"{_name(schemes.damping)} needs a damping field, and there is none; give one.")
    if schemes.damping_field is not None and not schemes.damping.uses_gamma:
        raise UnmetRequirement(
            f"{_name(schemes.damping)} does not read the damping field {_name(schemes.damping_field)}; leave the field "
            "out, or take a damping that uses gamma.",
            *("damping", "uses_gamma", True),
        )
    for axis, scheme in schemes.by_axis():
        _check_requirements(axis, scheme, schemes)
    if not (schemes.laplacian.steppable or schemes.integrator.closed_form):
        raise UnmetRequirement(
            f"{_name(schemes.laplacian)} lets waves leave the grid, which {_name(schemes.integrator)} forgets at every "
            "step. Use a closed form, or another Laplacian with the damping field 'sponge', which absorbs them.",
            *("integrators", "closed_form", True),
        )
    if limits:
        _check_guard(schemes)
    if reverses:
        for axis, scheme in (("integrators", schemes.integrator), ("damping", schemes.damping)):
            if not scheme.reversible:
                raise UnmetRequirement(
                    f'{_name(scheme)} is not reversible, so gradient="reverse" cannot run it backwards. '
                    'Use gradient="recompute", or a scheme that is reversible.',
                    *(axis, "reversible", True),
                )


def check_reading(schemes: Schemes, start: type[Start], readout: type[ReadOut]) -> None:
    """Check that the schemes fit how a wave starts and how it is read.

    Raises:
        UnmetRequirement: if the start needs modes that the Laplacian does not have.
        WavezooError: if there is a drift, and the read-out cannot be carried along by it.
    """
    if start.requires.modes and not schemes.laplacian.diagonal:
        raise UnmetRequirement(
            f"{start.__name__} needs a Laplacian that is diagonal in modes, and {_name(schemes.laplacian)} declares "
            "diagonal = False. Take another Laplacian, or another initial_velocity.",
            *("laplacians", "diagonal", True),
        )
    if schemes.drift is not None and not readout.takes_drift:
        raise WavezooError(
            f"{_name(schemes.drift)} carries what is read along for one time, and this read-out looks at many; "
            'use initial_velocity="transported" for direction, or a read-out of the end.'
        )


def not_causal_because(schemes: Schemes) -> UnmetRequirement | None:
    """Return why an output position depends on later ones, as an error; None where it does not."""
    for axis, scheme in schemes.by_axis():
        if not scheme.causal:
            return UnmetRequirement(
                f"{_name(scheme)} is not causal: every output position sees later input positions through it, so that "
                "a next-token loss would leak. Take a scheme that is causal, or use causal=False for inputs that are "
                "known as a whole.",
                *(axis, "causal", True),
            )
    return None


def check_input(x: Tensor, channels: int, ndim: int) -> None:
    """Check that an input fits an operator of ``channels`` channels over ``ndim`` grid axes.

    Raises:
        WavezooError: if it has another number of channels or grid axes, or no grid cell.
    """
    grid = "(B, C, N)" if ndim == 1 else "(B, C, H, W)"
    if x.ndim != ndim + 2 or x.shape[1] != channels:
        raise WavezooError(
            f"input of shape {tuple(x.shape)} does not fit a wave operator on {grid} with C = {channels}."
        )
    if 0 in x.shape[2:]:
        raise WavezooError(f"input of shape {tuple(x.shape)} has no grid cell; give at least 1 along each axis.")


def _check_sizes(schemes: Schemes, channels: int) -> None:
    laplacian = schemes.laplacian
    if laplacian.ndim not in laplacian.ndims:
        raise not_allowed(f"number of grid axes of {_name(laplacian)}", laplacian.ndim, laplacian.ndims)
    for axis, scheme in schemes.by_axis():
        # Integrators are the same for any field.
        size = (channels, laplacian.ndim)
        if axis != "integrators" and (built_for := (cast(Any, scheme).channels, cast(Any, scheme).ndim)) != size:
            raise WavezooError(
                f"{_name(scheme)} is built for {built_for[0]} channels and {built_for[1]} grid axes, the operator for "
                f"{channels} and {laplacian.ndim}. Build all of them for the same."
            )


def _check_guard(schemes: Schemes) -> None:
    laplacian, integrator, potential = schemes.laplacian, schemes.integrator, schemes.potential
    if integrator.stability_limit == 0:
        raise WavezooError(
            f"{_name(integrator)} has a stability limit of 0, so no Courant number is below it. "
            'Use an integrator with a limit above 0, or courant_guard="off".'
        )
    if not laplacian.self_adjoint:
        raise UnmetRequirement(
            f"{_name(laplacian)} is not self-adjoint, so that no Courant number keeps waves from growing. "
            'Use courant_guard="raise" or "off", or a Laplacian that is self-adjoint.',
            *("laplacians", "self_adjoint", True),
        )
    if potential is not None and not potential.bounded_stiffness:
        raise UnmetRequirement(
            f"{_name(potential)} stiffens without bound as the field grows: no Courant number is stable for every "
            'input. Use courant_guard="raise" or "off", or a potential of bounded stiffness.',
            *("potentials", "bounded_stiffness", True),
        )


def _check_requirements(axis: str, scheme: Scheme, schemes: Schemes) -> None:
    requires, laplacian = scheme.requires, schemes.laplacian
    for required, other, other_axis, fact, value, what in (
        (requires.modes, laplacian, "laplacians", "diagonal", True, "a Laplacian that is diagonal in modes"),
        (requires.self_adjoint, laplacian, "laplacians", "self_adjoint", True, "a self-adjoint Laplacian"),
        (requires.periodic, laplacian, "laplacians", "boundary", "periodic", "a Laplacian with periodic boundaries"),
        (
            requires.uniform_speed,
            schemes.speed,
            "fields",
            "varies_in_space",
            False,
            "a speed that is the same everywhere",
        ),
        (
            requires.uniform_damping,
            schemes.damping_field,
            *("fields", "varies_in_space", False, "a damping that is the same everywhere"),
        ),
        (requires.exact_decay, schemes.damping, "damping", "exact_decay", True, "damping whose decay is exact"),
        (
            requires.quadratic_potential,
            schemes.potential,
            "potentials",
            "quadratic",
            True,
            "a quadratic potential",
        ),
    ):
        if required and other is not None and (found := getattr(other, fact)) != value:
            raise UnmetRequirement(
                f"{_name(scheme)} needs {what}, and {_name(other)} declares {fact} = {found!r}. "
                f"Take another than {_name(other)}, or than {_name(scheme)}.",
                *(other_axis, fact, value),
            )


def _name(scheme: object) -> str:
    return type(scheme).__name__
