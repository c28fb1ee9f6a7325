"""From names to objects: builds schemes and operators out of what a keyword argument or a recipe says.

A scheme is given by its name, ``"pefrl"``, or as a mapping with its options, ``{"name": "finite_difference",
"order": 4}``.
"""

import inspect
from collections.abc import Callable, Iterable, Mapping
from typing import Any, cast

from pydantic import TypeAdapter, ValidationError

from wavezoo.errors import WavezooError, not_allowed
from wavezoo.mixers.base import Mixer
from wavezoo.plugins.registry import registry
from wavezoo.wave.damping.base import Damping
from wavezoo.wave.drifts.base import Drift
from wavezoo.wave.fields.base import ParameterField
from wavezoo.wave.integrators.base import Integrator
from wavezoo.wave.laplacians.base import Laplacian
from wavezoo.wave.operator import WaveOperator
from wavezoo.wave.potentials.base import Potential
from wavezoo.wave.scheme import Scheme

SchemeSpec = str | Mapping[str, Any]

STEPPED: dict[str, Any] = {
    "laplacian": "spectral",
    "integrator": "velocity_verlet",
    "speed": {"name": "pointwise", "initial": 0.7},
    "damping": "exponential",
    "damping_field": {"name": "constant", "initial": 0.1},
    "potential": None,
    "drift": None,
    "steps": 4,
    "dt": 0.5,
    "learn_dt": True,
    "dt_per_channel": False,
    "dt_spread": 1.0,
    "initial_velocity": "zero",
    "readout": "displacement",
    "courant_guard": "limit",
    "gradient": "store",
    "causal": False,
}
PRESETS: dict[str, dict[str, Any]] = {
    "stepped": STEPPED,
    # In a medium that is the same everywhere, solved exactly: any distance for one transform pair, from less than a
    # cell to the whole grid.
    "closed_form": {
        **STEPPED,
        "laplacian": "cosine",
        "integrator": "exact",
        "speed": {"name": "constant", "initial": 0.7},
        "dt_per_channel": True,
        "dt_spread": 4.5,
    },
    "paper": {
        **STEPPED,
        "damping": "linear",
        "damping_field": {"name": "pointwise", "initial": 0.1},
        # The publication leaves the first time step open. Without a guard, this one keeps a fresh layer stable.
        "dt": 0.25,
        "courant_guard": "off",
    },
}


OPERATOR_CHOICES = tuple(PRESETS["stepped"])
SCHEME_CHOICES = ("laplacian", "integrator", "speed", "damping_field", "damping", "potential", "drift")


def create_operator(channels: int, ndim: int, preset: str = "stepped", **choices: Any) -> WaveOperator:
    """Build a `WaveOperator` from names.

    Args:
        channels: number of channels C.
        ndim: number of grid axes, 1 or 2.
        preset: a choice on every axis: ``"stepped"``, time steps through a medium that the input shapes;
            ``"closed_form"``, the exact solution in a medium that is the same everywhere; or ``"paper"``, the layer as
            published.
        **choices: replace single choices of the preset: the schemes ``laplacian``, ``integrator``, ``speed``,
            ``damping_field``, ``damping``, ``potential`` and ``drift``, and the options of `WaveOperator`. A scheme
            given without its preset's options takes its own defaults, a field without ``initial`` the preset's.

    Raises:
        WavezooError: naming the choice that cannot work, what is allowed and what to do.
    """
    if preset not in PRESETS:
        raise not_allowed("preset", preset, PRESETS)
    options = {name: value for name, value in choices.items() if name not in SCHEME_CHOICES}
    known = [name for name in PRESETS[preset] if name not in SCHEME_CHOICES]
    check_options("option of the wave operator", options, WaveOperator, known)
    settings = {**PRESETS[preset], **choices}
    damping = cast(Damping, build_scheme("damping", settings.pop("damping"), channels, ndim))
    damping_field = settings.pop("damping_field")
    if not damping.uses_gamma and "damping_field" not in choices:
        damping_field = None
    laplacian = build_scheme("laplacians", settings.pop("laplacian"), channels, ndim)
    integrator = build_scheme("integrators", settings.pop("integrator"))
    potential, drift = (
        None if (spec := settings.pop(each)) in (None, "none") else build_scheme(f"{each}s", spec, channels, ndim)
        for each in ("potential", "drift")
    )
    return WaveOperator(
        channels,
        cast(Laplacian, laplacian),
        cast(Integrator, integrator),
        _build_field(settings.pop("speed"), PRESETS[preset]["speed"], channels, ndim),
        damping,
        damping_field and _build_field(damping_field, PRESETS[preset]["damping_field"], channels, ndim),
        cast(Potential | None, potential),
        cast(Drift | None, drift),
        **settings,
    )


def create_mixer(
    channels: int, ndim: int, mixer: SchemeSpec = "wave", *, causal: bool = False, **operator: Any
) -> Mixer:
    """Build a mixer of positions from its name.

    Args:
        channels: number of channels C.
        ndim: number of grid axes, 1 or 2.
        mixer: the mixer, by name or as a mapping with options.
        causal: let no position depend on later ones.
        **operator: what `create_operator` takes, for a mixer with a wave operator.

    Raises:
        WavezooError: naming the choice that cannot work, what is allowed and what to do.
    """
    name, options = split_spec("mixers", mixer)
    scheme = registry.scheme("mixers", name)
    given: dict[str, Any] = {"causal": causal}
    if takes_operator(mixer):
        given["operator"] = create_operator(channels, ndim, causal=causal, **operator)
    elif choices := [choice for choice in operator if choice != "preset"]:
        raise WavezooError(
            f"{choices[0]} is an option of a wave operator, which the mixer {name} has none of. Drop it."
        )
    if reserved := [option for option in options if option in given]:
        raise WavezooError(f"{reserved[0]} is no option of the mixer {name} itself; give it to the model.")
    known = {option: default for option, default in scheme_options(scheme).items() if option not in given}
    _check_scheme_options(f"option of the mixer {name}", name, scheme, options, known)
    build = cast(Callable[..., Mixer], scheme)
    return build(channels, ndim, **given, **options)


def takes_operator(mixer: SchemeSpec) -> bool:
    """Return whether a mixer has a wave operator."""
    return "operator" in scheme_options(registry.scheme("mixers", split_spec("mixers", mixer)[0]))


def build_scheme(axis: str, spec: SchemeSpec, *arguments: Any) -> Scheme:
    """Build the scheme that ``spec`` names on ``axis``, with ``arguments`` before its options.

    Raises:
        WavezooError: if there is no such scheme, or if it has no such option.
    """
    name, options = split_spec(axis, spec)
    scheme = registry.scheme(axis, name)
    if isinstance(options.get("inner"), (str, Mapping)) and "inner" in scheme_options(scheme):
        # A scheme that wraps another of its axis; the inner one starts where the outer one does.
        options["inner"] = _build_field(options["inner"], {"initial": options["initial"]}, *arguments)
    what = f"option of the {axis.removesuffix('s')} {name}"
    _check_scheme_options(what, name, scheme, options, scheme_options(scheme))
    return scheme(*arguments, **options)


def _check_scheme_options(
    what: str, name: str, scheme: type[Scheme], options: Mapping[str, Any], known: Mapping[str, Any]
) -> None:
    check_options(what, options, scheme, known)
    for option, default in known.items():
        if default is inspect.Parameter.empty and option not in options:
            raise WavezooError(f"{what} {option} is missing; give the {name} as a mapping with name and {option}.")


def check_options(what: str, options: Mapping[str, Any], target: Callable[..., Any], known: Iterable[str]) -> None:
    """Check keyword arguments for ``target`` against its signature before they are used.

    Args:
        what: what the options are options of, in words.
        options: the keyword arguments.
        target: the class or function that they are for.
        known: the names that may be given.

    Raises:
        WavezooError: naming the first option that is unknown or of the wrong type.
    """
    parameters = inspect.signature(target).parameters
    known = list(known)
    for option, value in options.items():
        if option not in known:
            raise not_allowed(what, option, known)
        annotation = parameters[option].annotation
        # Annotations kept as text may name what only a type checker can see.
        if annotation is inspect.Parameter.empty or isinstance(annotation, str):
            continue
        try:
            TypeAdapter(annotation, config={"arbitrary_types_allowed": True}).validate_python(value, strict=True)
        except ValidationError as error:
            reason = error.errors()[0]["msg"]
            raise WavezooError(f"{what} {option} is {value!r}: {reason[0].lower()}{reason[1:]}.") from None


def scheme_options(scheme: type[Scheme]) -> dict[str, Any]:
    """Return a scheme's options and their defaults; an option without one has ``inspect.Parameter.empty``."""
    parameters = inspect.signature(scheme).parameters.values()
    return {each.name: each.default for each in parameters if each.kind is inspect.Parameter.KEYWORD_ONLY}


def split_spec(axis: str, spec: SchemeSpec) -> tuple[str, dict[str, Any]]:
    """Split a scheme given by name or by mapping into its name and its options.

    Raises:
        WavezooError: if ``spec`` is neither, or a mapping without ``name``.
    """
    if isinstance(spec, str):
        return spec, {}
    if not isinstance(spec, Mapping) or not isinstance(spec.get("name"), str):
        raise WavezooError(
            f"{axis.removesuffix('s')} is given as {spec!r}; give a name, or a mapping with a name and options, "
            'such as {"name": "finite_difference", "order": 4}.'
        )
    return spec["name"], {key: value for key, value in spec.items() if key != "name"}


def _build_field(spec: SchemeSpec, preset: Mapping[str, Any], channels: int, ndim: int) -> ParameterField:
    name, options = split_spec("fields", spec)
    spec = {"name": name, "initial": preset["initial"], **options}
    return cast(ParameterField, build_scheme("fields", spec, channels, ndim))
