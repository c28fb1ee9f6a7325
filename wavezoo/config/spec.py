"""From names to objects: what a keyword argument or a recipe says of wave operators and mixers is checked once.

Schemes are given as `wavezoo.config.scheme` says.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypedDict

from typing_extensions import Unpack

from wavezoo.config.options import check_options, scheme_options
from wavezoo.config.presets import OPERATOR_CHOICES, Preset, find_preset
from wavezoo.config.scheme import SchemeChoice, SchemeSpec, optional_spec, scheme_spec
from wavezoo.errors import UnmetRequirement, WavezooError, not_allowed, require_whole, under
from wavezoo.mixers.base import Mixer
from wavezoo.plugins.axes import AXES, ROLES
from wavezoo.plugins.registry import Registry, registry
from wavezoo.wave.operator import WaveOperator


class OperatorChoices(TypedDict, total=False):
    """What may be said of a wave operator in place of its preset; see `wavezoo.WaveOperator`."""

    laplacian: SchemeChoice
    integrator: SchemeChoice
    speed: SchemeChoice
    damping_field: SchemeChoice
    damping: SchemeChoice
    potential: SchemeChoice | None
    drift: SchemeChoice | None
    steps: int
    reach: float | None
    looks: int | None
    dt: float
    learn_dt: bool
    initial_velocity: str
    readout: str
    courant_guard: str
    gradient: str
    causal: bool


@dataclass(frozen=True)
class OperatorSpec:
    """Builds wave operators of one kind: ``spec(channels, ndim)``.

    Attributes:
        preset: what stands where nothing else was chosen.
        schemes: the scheme in each role, None for none.
        options: keyword arguments of `wavezoo.WaveOperator` that are not schemes.
        registry: where the names were looked up.
    """

    preset: Preset
    schemes: Mapping[str, SchemeSpec | None]
    options: Mapping[str, Any]
    registry: Registry = registry

    def __call__(self, channels: int, ndim: int) -> WaveOperator:
        """Build an operator over ``channels`` channels and ``ndim`` grid axes.

        Raises:
            WavezooError: if channels or axes cannot be, or if the schemes do not fit each other.
        """
        channels, ndim = require_whole("channels", channels), require_whole("ndim", ndim)
        built: dict[str, Any] = {}
        for role, spec in self.schemes.items():
            default = self.preset.choices[role]
            initial = {"initial": default["initial"]} if isinstance(default, Mapping) else {}
            with under(role):
                built[role] = None if spec is None else spec.build(channels=channels, ndim=ndim, **initial)
        try:
            return WaveOperator(channels, **built, **self.options)
        except UnmetRequirement as error:
            raise _with_schemes_that_do(error, self.registry) from None


@dataclass(frozen=True)
class MixerSpec:
    """Builds mixers of one kind: ``spec(channels, ndim)``.

    Attributes:
        scheme: the mixer.
        operator: builds its wave operator; None for a mixer without one.
        preset: name of the preset of the wave operator that it has, or that it is compared with.
        causal: let no position depend on later ones.
        registry: where the names were looked up.
    """

    scheme: SchemeSpec
    operator: OperatorSpec | None
    preset: str
    causal: bool = False
    registry: Registry = registry

    @property
    def plain(self) -> bool:
        """Whether the mixer stands alone in a block, as the wave operator does as published."""
        return self.operator is not None and self.operator.preset.plain

    def __call__(self, channels: int, ndim: int) -> Mixer:
        """Build a mixer of ``channels`` channels over ``ndim`` grid axes.

        Raises:
            WavezooError: if channels or axes cannot be, or if it is asked to be causal and cannot be.
        """
        channels, ndim = require_whole("channels", channels), require_whole("ndim", ndim)
        given: dict[str, Any] = {"channels": channels, "ndim": ndim, "causal": self.causal}
        if self.operator is not None:
            given["operator"] = self.operator(channels, ndim)
        try:
            mixer: Mixer = self.scheme.build(**given)
        except UnmetRequirement as error:
            raise _with_schemes_that_do(error, self.registry) from None
        return mixer


def create_operator(
    channels: int, ndim: int, preset: str = "stepped", **choices: Unpack[OperatorChoices]
) -> WaveOperator:
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
    return operator_spec(preset, **choices)(channels, ndim)


def create_mixer(
    channels: int,
    ndim: int,
    mixer: SchemeChoice = "wave",
    *,
    preset: str = "stepped",
    **choices: Unpack[OperatorChoices],
) -> Mixer:
    """Build a mixer of positions from its name.

    Args:
        channels: number of channels C.
        ndim: number of grid axes, 1 or 2.
        mixer: the mixer, by name or as a mapping with options.
        preset: as for `create_operator`, for a mixer with a wave operator.
        **choices: likewise; and ``causal``, for every mixer: let no position depend on later ones.

    Raises:
        WavezooError: naming the choice that cannot work, what is allowed and what to do.
    """
    return mixer_spec(mixer, preset, **choices)(channels, ndim)


def operator_spec(
    preset: str = "stepped", registry: Registry = registry, **choices: Unpack[OperatorChoices]
) -> OperatorSpec:
    """Check what is said of a wave operator, as `create_operator` does, and return what builds it.

    Args:
        preset: name of the preset.
        registry: where the names of schemes are looked up.
        **choices: in place of the preset's.

    Raises:
        WavezooError: naming the choice that cannot work, what is allowed and what to do.
    """
    with under("preset"):
        base = find_preset(preset)
    given = {name: value for name, value in choices.items() if name not in ROLES}
    known = [name for name in OPERATOR_CHOICES if name not in ROLES]
    what = "option of the wave operator"
    for name in given:
        if name not in known:
            with under(name):
                raise not_allowed(what, name, OPERATOR_CHOICES)
    options = {name: base.choices[name] for name in known} | check_options(what, given, WaveOperator, known)
    chosen: dict[str, Any] = {**base.choices, **choices}
    schemes = {}
    for role, axis in ROLES.items():
        with under(role):
            schemes[role] = optional_spec(axis, chosen[role], registry)
    damping = schemes["damping"]
    if "damping_field" not in choices and (damping is None or not getattr(damping.scheme, "uses_gamma", True)):
        schemes["damping_field"] = None
    return OperatorSpec(base, schemes, options, registry)


def mixer_spec(
    mixer: SchemeChoice = "wave",
    preset: str = "stepped",
    registry: Registry = registry,
    **choices: Unpack[OperatorChoices],
) -> MixerSpec:
    """Check what is said of a mixer, as `create_mixer` does, and return what builds it.

    Args:
        mixer: the mixer, by name or as a mapping with options.
        preset: name of the preset of its wave operator, if it has one.
        registry: where the names of schemes are looked up.
        **choices: as for `create_mixer`.

    Raises:
        WavezooError: naming the choice that cannot work, what is allowed and what to do.
    """
    scheme = _mixer_scheme(mixer, registry)
    if "operator" in scheme_options(scheme.scheme):
        operator = operator_spec(preset, registry, **choices)
        return MixerSpec(scheme, operator, preset, operator.options["causal"], registry)
    find_preset(preset)
    causal = check_options("option of a mixer", {"causal": choices.pop("causal", False)}, WaveOperator, ["causal"])
    if choices:
        first = next(iter(choices))
        with under(first):
            raise WavezooError(
                f"{first} is an option of a wave operator, and the mixer {scheme.name} has none. Drop it."
            )
    return MixerSpec(scheme, None, preset, causal["causal"], registry)


def with_schemes(choices: Mapping[str, Any], registry: Registry = registry) -> dict[str, Any]:
    """Return keyword arguments of a model with checked specs in place of schemes that are said by name.

    Args:
        choices: keyword arguments.
        registry: where the names of schemes are looked up.

    Raises:
        WavezooError: naming the scheme that there is not, or whose options cannot work, and under which key.
    """
    checked = dict(choices)
    if choices.get("mixer") is not None:
        checked["mixer"] = _mixer_scheme(choices["mixer"], registry)
    for role, axis in ROLES.items():
        if choices.get(role) is not None:
            with under(role):
                checked[role] = optional_spec(axis, choices[role], registry)
    return checked


def _mixer_scheme(mixer: SchemeChoice, registry: Registry) -> SchemeSpec:
    axis = AXES["mixers"]
    with under("mixer"):
        if isinstance(mixer, Mapping) and (reserved := next((each for each in axis.given if each in mixer), None)):
            raise WavezooError(f"{reserved} is no option of the mixer itself; give it to the model.")
        return scheme_spec(axis, mixer, registry)


def _with_schemes_that_do(error: UnmetRequirement, registry: Registry) -> UnmetRequirement:
    """Return the error with the schemes that declare the fact which is missing."""
    schemes = registry.schemes(error.axis)
    doing = [name for name, scheme in schemes.items() if getattr(scheme, error.fact, None) == error.value]
    listed = f" {error.axis.capitalize()} with {error.fact} = {error.value!r}: {', '.join(doing) or 'none'}."
    return UnmetRequirement(f"{error}{listed}", error.axis, error.fact, error.value)
