import pytest

import wavezoo
from wavezoo.plugins.axes import AXES, KINDS, ROLES
from wavezoo.plugins.hooks import HOOKS
from wavezoo.plugins.registry import Registry

FILLED = [kind for kind in KINDS if Registry(installed=False).all(kind)]


def test_every_kind_has_a_hook():
    assert set(HOOKS) == {kind.hook for kind in KINDS.values()}


@pytest.mark.parametrize("hook", HOOKS)
def test_a_hook_is_documented(hook):
    assert len(HOOKS[hook].__doc__.splitlines()) >= 3
    assert HOOKS[hook].__annotations__["return"]


@pytest.mark.parametrize("kind", FILLED)
def test_a_hook_brings_what_it_returns(kind, plugin, another, scratch_registry):
    other = another(kind)
    scratch_registry.add(plugin(**{KINDS[kind].hook: {"another one": other}}), "other-plugin", "test")
    assert scratch_registry.find(kind, "another one") is other
    assert scratch_registry.owner(kind, "another one").name == "other-plugin"


@pytest.mark.parametrize("role", ROLES)
def test_a_scheme_of_a_plugin_serves_in_every_role_of_its_axis(role, plugin, another, scratch_registry):
    axis = ROLES[role]
    other = another(axis.name)
    scratch_registry.add(plugin(**{axis.hook: {"another-one": other}}), "other-plugin", "test")
    options = dict(other.variants[0]) if other.variants else {}
    ndim = getattr(other, "ndims", (2,))[-1]
    operator = wavezoo.create_operator(3, ndim, courant_guard="off", **{role: {"name": "another-one", **options}})
    assert type(getattr(operator, role)) is other


def test_a_mixer_of_a_plugin_is_built(plugin, scratch_registry):
    other = type("Other", (type(wavezoo.create_mixer(3, 2, "pooling")),), {"__doc__": "Another one."})
    scratch_registry.add(plugin(wavezoo_mixers={"other": other}), "other-plugin", "test")
    assert type(wavezoo.create_mixer(3, 2, "other")) is other


@pytest.mark.parametrize("axis", AXES)
def test_built_ins_come_through_the_hooks(axis):
    registry = Registry(installed=False)
    assert registry.plugins()[0].source == "built in"
    assert registry.schemes(axis) == registry.brought_by(registry.plugins()[0])[axis]


def test_a_wrapper_sees_what_every_plugin_brings(plugin, another):
    registry = Registry(installed=False)
    registry.add(plugin(wavezoo_integrators={"mine": another("integrators")}), "mine", "test")

    class Renaming:
        @wavezoo.hookimpl(wrapper=True)
        def wavezoo_integrators(self):
            brought = yield
            return [{f"{name}!": scheme for name, scheme in each.items()} for each in brought]

    registry.add(Renaming(), "renaming", "test")
    assert {"mine!", "exact!"} < set(registry.schemes("integrators"))
    assert registry.owner("integrators", "mine!").name == "mine"
