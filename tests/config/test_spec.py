import inspect

import numpy as np
import pytest
import torch

import wavezoo
from wavezoo.config.options import scheme_options
from wavezoo.config.presets import OPERATOR_CHOICES, PRESETS
from wavezoo.config.scheme import scheme_spec
from wavezoo.config.spec import OperatorChoices, mixer_spec, operator_spec
from wavezoo.plugins.axes import AXES, ROLES
from wavezoo.plugins.registry import Registry, registry
from wavezoo.wave import ConstantField, Laplacian, ParameterField, SpectralLaplacian, WaveOperator, Yoshida4

SCHEMES = [(axis, name) for axis in AXES for name in registry.schemes(axis)]


def plugin(**hooks):
    functions = {hook: wavezoo.hookimpl(lambda self, result=result: result) for hook, result in hooks.items()}
    return type("Plugin", (), functions)()


def test_an_editor_is_shown_every_choice_and_no_other():
    assert set(OperatorChoices.__annotations__) == set(OPERATOR_CHOICES)
    assert set(ROLES) < set(OPERATOR_CHOICES)
    assert {name for name in OPERATOR_CHOICES if name not in ROLES} <= set(scheme_options(WaveOperator))
    assert all(tuple(preset.choices) == OPERATOR_CHOICES for preset in PRESETS.values())


@pytest.mark.parametrize(("axis", "name"), SCHEMES)
def test_an_unknown_option_and_one_of_a_wrong_type_are_told(axis, name):
    with pytest.raises(wavezoo.WavezooError, match=f"option of the {AXES[axis].singular} {name} is 'no_such_option'"):
        scheme_spec(AXES[axis], {"name": name, "no_such_option": 1})
    for option, default in scheme_options(registry.scheme(axis, name)).items():
        if isinstance(default, (int, float)):
            with pytest.raises(wavezoo.WavezooError, match=f"{name} {option} is "):
                scheme_spec(AXES[axis], {"name": name, option: object()})


@pytest.mark.parametrize("axis", AXES)
@pytest.mark.parametrize(
    "choice", [3, {}, {"name": 3}, ["spectral"], torch.zeros(1000), np.zeros(1000), torch.nn.Linear]
)
def test_what_is_neither_name_nor_mapping_is_told_in_a_line(axis, choice):
    with pytest.raises(wavezoo.WavezooError, match="give a name, or a mapping") as caught:
        scheme_spec(AXES[axis], choice)
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize("given", [Yoshida4(), Yoshida4])
def test_an_object_in_place_of_a_name_is_told_where_it_belongs(given):
    with pytest.raises(wavezoo.WavezooError, match=r"To use objects of your own, build a wavezoo\.WaveOperator"):
        wavezoo.create_operator(2, 1, integrator=given)


def test_a_missing_option_is_named():
    with pytest.raises(wavezoo.WavezooError, match="edges is missing; give the graph as a mapping with name and edges"):
        wavezoo.create_operator(2, 1, laplacian="graph")


@pytest.mark.parametrize(("channels", "ndim"), [(0, 1), (-1, 2), (2.5, 1), (True, 1), ("4", 1), (4, 0), (4, None)])
def test_channels_and_axes_that_cannot_be_are_one_message(channels, ndim):
    for build in (wavezoo.create_operator, wavezoo.create_mixer):
        with pytest.raises(wavezoo.WavezooError, match=r"(channels|ndim) is .*; give a whole number"):
            build(channels, ndim)


@pytest.mark.parametrize("ndim", [3, 7])
def test_a_number_of_axes_that_nothing_knows_is_one_message(ndim):
    with pytest.raises(wavezoo.WavezooError, match="grid axes"):
        wavezoo.create_operator(2, ndim)


def test_numpy_numbers_are_numbers():
    choices = {"steps": np.int64(3), "dt": np.float32(0.25), "laplacian": {"name": "finite_difference"}}
    choices["laplacian"]["order"] = np.int32(4)
    operator = wavezoo.create_operator(np.int64(4), np.int64(1), **choices)
    assert (operator.steps, operator.laplacian.order, operator.channels) == (3, 4, 4)


def test_a_spec_is_checked_once_and_builds_any_number():
    spec = operator_spec("stepped", integrator="yoshida4", steps=2)
    assert [type(spec(channels, ndim).integrator) for channels, ndim in ((2, 1), (3, 2))] == [Yoshida4, Yoshida4]
    assert spec(3, 2).channels == 3
    with pytest.raises(wavezoo.WavezooError, match="nearest first: yoshida4"):
        operator_spec("stepped", integrator="yoshida")
    with pytest.raises(wavezoo.WavezooError, match="mixer is 'waves'"):
        mixer_spec("waves")


class Rings(SpectralLaplacian):
    """A Laplacian with an option that a field has too, and others inside."""

    def __init__(
        self, channels: int, ndim: int, *, inner: float = 1.0, around: Laplacian | None = None, map_: ParameterField
    ) -> None:
        super().__init__(channels, ndim)
        self.inner, self.around, self.map_ = inner, around, map_


class Around(ConstantField):
    """A field around another, under a name of its own."""

    def __init__(self, channels: int, ndim: int, *, initial: float, core: ParameterField | None = None) -> None:
        super().__init__(channels, ndim, initial=initial)
        self.core = core


class Fails(Yoshida4):
    """Cannot be built."""

    def __init__(self) -> None:
        super().__init__()
        raise KeyError("no luck")


@pytest.fixture
def own():
    own = Registry(installed=False)
    hooks = {
        "wavezoo_laplacians": {"rings": Rings},
        "wavezoo_fields": {"around": Around},
        "wavezoo_integrators": {"fails": Fails},
    }
    own.add(plugin(**hooks), "own-plugin", "test")
    return own


def test_schemes_inside_schemes_are_known_by_their_type(own):
    field = {"name": "constant", "initial": 0.3}
    rings = {"name": "rings", "inner": 2.5, "around": {"name": "cosine"}, "map_": field}
    speed = {"name": "around", "initial": 0.6, "core": "around"}
    operator = operator_spec("stepped", own, laplacian=rings, speed=speed)(3, 1)
    assert operator.laplacian.inner == 2.5
    assert type(operator.laplacian.around) is registry.scheme("laplacians", "cosine")
    assert operator.laplacian.map_.initial == 0.3
    assert operator.speed.core.initial == 0.6
    with pytest.raises(wavezoo.WavezooError, match="nearest first: constant"):
        operator_spec("stepped", own, laplacian={**rings, "map_": "constent"})
    with pytest.raises(wavezoo.WavezooError, match="map_ is missing"):
        operator_spec("stepped", own, laplacian="rings")


def test_an_error_in_a_constructor_names_the_plugin(own):
    with pytest.raises(wavezoo.PluginError, match=r"'fails' of the plugin 'own-plugin'.*KeyError: 'no luck'"):
        operator_spec("stepped", own, integrator="fails")(2, 1)


def test_options_have_the_types_of_the_signature():
    for _, (axis, name) in enumerate(SCHEMES):
        for parameter in inspect.signature(registry.scheme(axis, name)).parameters.values():
            assert parameter.annotation is not parameter.empty, (axis, name, parameter.name)
