"""From names to objects: what a keyword argument or a recipe says of schemes is checked once, and builds them after.

A scheme is given by its name, ``"pefrl"``, or as a mapping with its options, ``{"name": "finite_difference",
"order": 4}``; "none" or None stand for no scheme where an axis allows it.
"""

import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypedDict, get_args

from typing_extensions import Unpack

from wavezoo.config.options import annotations, check_options, scheme_options
from wavezoo.config.presets import OPERATOR_CHOICES, Preset, find_preset
from wavezoo.errors import PluginError, UnmetRequirement, WavezooError, not_allowed, require_whole, shown
from wavezoo.mixers.base import Mixer
from wavezoo.plugins.axes import AXES, ROLES, Axis
from wavezoo.plugins.registry import Plugin, Registry, registry
from wavezoo.wave.operator import WaveOperator
from wavezoo.wave.scheme import Scheme

SchemeChoice = str | Mapping[str, Any]

NO_SCHEME = "none"


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
    dt: float
    learn_dt: bool
    initial_velocity: str
    readout: str
    courant_guard: str
    gradient: str
    causal: bool


@dataclass(frozen=True)
class SchemeSpec:
    """A scheme that was chosen by name, with checked options.

    Attributes:
        axis: its axis.
        name: its name.
        scheme: its class.
        plugin: the plugin that brought it.
        options: its options; schemes among them are specs themselves.
    """

    axis: Axis
    name: str
    scheme: type[Scheme]
    plugin: Plugin
    options: Mapping[str, Any]

    def build(self, **given: Any) -> Any:
        """Build the scheme.

        Args:
            **given: what stands before its options, ``channels`` and ``ndim``, and the options that whoever builds it
                adds, such as a field's ``initial``; what a scheme has no use for is left out.

        Raises:
            WavezooError: if the scheme refuses an option.
            PluginError: naming the plugin, if its constructor fails in another way.
        """
        known = scheme_options(self.scheme)
        options = {name: given[name] for name in self.axis.given if name in known and name in given}
        options |= self.options
        # A scheme inside another starts where that one does.
        inner = {**given, **{name: value for name, value in options.items() if name in given}}
        for name, value in options.items():
            if isinstance(value, SchemeSpec):
                options[name] = value.build(**inner)
        try:
            return self.scheme(*[given[name] for name in self.axis.built_with], **options)
        except WavezooError:
            raise
        # A plugin may raise anything, and whoever reads the message must know whose it is.
        except (Exception, SystemExit) as error:
            raise PluginError(
                f"{self.axis.singular} {self.name!r} of the plugin {self.plugin.name!r} ({self.plugin.source}) cannot "
                f"be built: {type(error).__name__}: {error}"
            ) from error


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
    base = find_preset(preset)
    given = {name: value for name, value in choices.items() if name not in ROLES}
    known = [name for name in OPERATOR_CHOICES if name not in ROLES]
    what = "option of the wave operator"
    for name in given:
        if name not in known:
            raise not_allowed(what, name, OPERATOR_CHOICES)
    options = {name: base.choices[name] for name in known} | check_options(what, given, WaveOperator, known)
    schemes = {role: optional_spec(axis, {**base.choices, **choices}[role], registry) for role, axis in ROLES.items()}
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
    axis = AXES["mixers"]
    name, own = _split(axis, mixer)
    if reserved := next((option for option in axis.given if option in own), None):
        raise WavezooError(f"{reserved} is no option of the mixer {name} itself; give it to the model.")
    scheme = scheme_spec(axis, mixer, registry)
    if "operator" in scheme_options(scheme.scheme):
        operator = operator_spec(preset, registry, **choices)
        return MixerSpec(scheme, operator, preset, operator.options["causal"], registry)
    find_preset(preset)
    causal = check_options("option of a mixer", {"causal": choices.pop("causal", False)}, WaveOperator, ["causal"])
    if choices:
        first = next(iter(choices))
        raise WavezooError(f"{first} is an option of a wave operator, and the mixer {scheme.name} has none. Drop it.")
    return MixerSpec(scheme, None, preset, causal["causal"], registry)


def optional_spec(axis: Axis, choice: SchemeChoice | None, registry: Registry = registry) -> SchemeSpec | None:
    """As `scheme_spec`, but None for "none" and None on an axis that may be left empty."""
    if axis.optional and (choice is None or choice == NO_SCHEME):
        return None
    return scheme_spec(axis, choice, registry)


def scheme_spec(axis: Axis, choice: object, registry: Registry = registry) -> SchemeSpec:
    """Check what is said of a scheme, and return what builds it.

    Args:
        axis: its axis.
        choice: its name, or a mapping with ``name`` and options.
        registry: where the name is looked up.

    Raises:
        WavezooError: if there is no such scheme, if it has no such option or one of another type, or if one is missing.
    """
    name, given = _split(axis, choice)
    scheme = registry.scheme(axis.name, name)
    known, hints = scheme_options(scheme), annotations(scheme)
    what = f"option of the {axis.singular} {name}"
    inner = {
        option: scheme_spec(inner_axis, value, registry)
        for option, value in given.items()
        if isinstance(value, (str, Mapping)) and (inner_axis := _axis_of(hints.get(option))) is not None
    }
    options = check_options(what, {key: value for key, value in given.items() if key not in inner}, scheme, known)
    for option, default in known.items():
        if default is inspect.Parameter.empty and option not in {*given, *axis.given}:
            raise WavezooError(f"{what} {option} is missing; give the {name} as a mapping with name and {option}.")
    return SchemeSpec(axis, name, scheme, registry.owner(axis.name, name), {**options, **inner})


def _with_schemes_that_do(error: UnmetRequirement, registry: Registry) -> UnmetRequirement:
    """Return the error with the schemes that declare the fact which is missing."""
    schemes = registry.schemes(error.axis)
    doing = [name for name, scheme in schemes.items() if getattr(scheme, error.fact, None) == error.value]
    listed = f" {error.axis.capitalize()} with {error.fact} = {error.value!r}: {', '.join(doing) or 'none'}."
    return UnmetRequirement(f"{error}{listed}", error.axis, error.fact, error.value)


def _split(axis: Axis, choice: object) -> tuple[str, dict[str, Any]]:
    if isinstance(choice, str):
        return choice, {}
    if isinstance(choice, Mapping) and isinstance(choice.get("name"), str):
        return choice["name"], {str(key): value for key, value in choice.items() if key != "name"}
    hint = 'give a name, or a mapping with a name and options, such as {"name": "finite_difference", "order": 4}.'
    if isinstance(choice, axis.contract) or (inspect.isclass(choice) and issubclass(choice, axis.contract)):
        hint += " To use objects of your own, build a wavezoo.WaveOperator, or register the class in a plugin."
    raise WavezooError(f"{axis.singular} is given as {shown(choice)}; {hint}")


def _axis_of(annotation: object) -> Axis | None:
    """Return the axis whose schemes an option of this type takes."""
    for each in (annotation, *get_args(annotation)):
        if inspect.isclass(each) and issubclass(each, Scheme):
            return next((axis for axis in AXES.values() if issubclass(each, axis.contract)), None)
    return None
