"""What fits what: the checks of an operator's options and schemes against each other, when it is built."""

from collections.abc import Iterable, Mapping

from wavezoo.errors import WavezooError, not_allowed, require_positive
from wavezoo.wave.damping.base import Damping
from wavezoo.wave.drifts.base import Drift
from wavezoo.wave.fields.base import ParameterField
from wavezoo.wave.integrators.base import Integrator
from wavezoo.wave.laplacians.base import Laplacian
from wavezoo.wave.potentials.base import Potential
from wavezoo.wave.scheme import Requires, Scheme


def require_count(what: str, value: int) -> None:
    """Raise WavezooError unless ``value`` is a whole number of time steps, at least 1."""
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise WavezooError(f"{what} is {value!r}; give a whole number of time steps, at least 1.")


def check_options(steps: int, dt: float, choices: Mapping[str, tuple[str, Iterable[str]]]) -> None:
    """Check the options of an operator that are not schemes.

    Args:
        steps: number of time steps.
        dt: time step.
        choices: for each option with a finite number of choices, what was given and what is allowed.

    Raises:
        WavezooError: naming the option, what was given and what is allowed.
    """
    require_count("steps", steps)
    require_positive("dt", dt)
    for what, (value, allowed) in choices.items():
        if value not in allowed:
            raise not_allowed(what, value, allowed)


def check_schemes(
    laplacian: Laplacian,
    integrator: Integrator,
    speed: ParameterField,
    damping: Damping,
    damping_field: ParameterField | None,
    potential: Potential | None,
    drift: Drift | None,
    *,
    limits: bool,
    reverses: bool,
    causal: bool,
) -> bool:
    """Check that schemes fit each other.

    Args:
        laplacian: the Laplacian, and so on.
        integrator: the integrator.
        speed: the field of the speed.
        damping: the damping scheme.
        damping_field: its field.
        potential: the force, if there is one.
        drift: the drift, if there is one.
        limits: whether the Courant guard promises stability.
        reverses: whether the backward pass runs the scheme backwards.
        causal: whether the operator must be causal.

    Returns:
        Whether it is: whether every position depends on positions up to its own only.

    Raises:
        WavezooError: naming the scheme that asks, what it asks for, and what would do.
    """
    if laplacian.ndim not in laplacian.ndims:
        raise not_allowed(f"number of grid axes of {_name(laplacian)}", laplacian.ndim, laplacian.ndims)
    if damping.uses_gamma and damping_field is None:
        raise WavezooError(f"{_name(damping)} needs a damping field; give one, such as pointwise.")
    if damping_field is not None and not damping.uses_gamma:
        raise WavezooError(
            f"{_name(damping)} does not read the damping field {_name(damping_field)}; "
            "leave the field out, or choose another damping, such as exponential."
        )
    for scheme in (integrator, damping, drift):
        if scheme is not None:
            _check_requirements(scheme, scheme.requires, laplacian, speed, damping, damping_field, potential)
    if limits and integrator.stability_limit == 0:
        raise WavezooError(
            f"{_name(integrator)} has a stability limit of 0, so no Courant number is below it. "
            'Use another integrator, such as velocity_verlet, or courant_guard="off".'
        )
    if limits and potential is not None and not potential.bounded_stiffness:
        raise WavezooError(
            f"{_name(potential)} stiffens without bound as the field grows: no Courant number is stable for every "
            'input. Use courant_guard="raise" or "off", or another potential, such as klein_gordon or sine_gordon.'
        )
    if reverses and not (integrator.reversible and damping.reversible):
        culprit = damping if integrator.reversible else integrator
        raise WavezooError(
            f'{_name(culprit)} is not reversible, so gradient="reverse" cannot run it backwards. '
            'Use gradient="recompute", or reversible schemes, such as velocity_verlet with exponential damping.'
        )
    reason = _not_causal_because(laplacian, integrator, speed, damping_field)
    if causal and reason:
        raise WavezooError(reason)
    return reason is None


def _not_causal_because(
    laplacian: Laplacian, integrator: Integrator, speed: ParameterField, damping_field: ParameterField | None
) -> str | None:
    if not laplacian.causal:
        return (
            f"{_name(laplacian)} is not causal: every output position sees later input positions, so that a next-token "
            "loss would leak. No built-in Laplacian is causal; use causal=False for inputs that are known as a whole."
        )
    if integrator.requires.self_adjoint:
        return (
            f"{_name(integrator)} is not causal: it solves for all positions at once. Use another integrator, such as "
            "velocity_verlet."
        )
    for field in (speed, damping_field):
        if field is not None and not field.causal:
            return f"{_name(field)} is not causal: it looks at later positions. Use another field, such as pointwise."
    return None


def _check_requirements(
    scheme: Scheme,
    requires: Requires,
    laplacian: Laplacian,
    speed: ParameterField,
    damping: Damping,
    damping_field: ParameterField | None,
    potential: Potential | None,
) -> None:
    varying_damping = damping_field is not None and damping_field.varies_in_space
    for required, met, what, remedy in (
        (
            requires.modes,
            laplacian.diagonal,
            f"a Laplacian that is diagonal in modes, which {_name(laplacian)} is not",
            "spectral, cosine or sine",
        ),
        (
            requires.self_adjoint,
            laplacian.self_adjoint,
            f"a self-adjoint Laplacian, which {_name(laplacian)} is not",
            "spectral, cosine or sine",
        ),
        (
            requires.periodic,
            laplacian.boundary == "periodic",
            f"periodic boundaries, and those of {_name(laplacian)} are {laplacian.boundary}",
            "spectral",
        ),
        (
            requires.uniform_speed,
            not speed.varies_in_space,
            f"a speed that is the same everywhere in space, which {_name(speed)} is not",
            'speed="constant"',
        ),
        (
            requires.uniform_damping,
            not varying_damping,
            f"a damping that is the same everywhere in space, which {_name(damping_field)} is not",
            'damping_field="constant", or damping="none"',
        ),
        (
            requires.exact_decay,
            damping.exact_decay,
            f"damping whose decay is exact, which that of {_name(damping)} is not",
            "exponential, viscous or none",
        ),
        (
            requires.quadratic_potential,
            potential is None or potential.quadratic,
            f"a quadratic potential, which {_name(potential)} is not",
            "klein_gordon, or none",
        ),
    ):
        if required and not met:
            raise WavezooError(f"{_name(scheme)} needs {what}. Use {remedy}, or another scheme than {_name(scheme)}.")


def _name(scheme: object) -> str:
    return type(scheme).__name__
