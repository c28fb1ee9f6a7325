import pickle
from pathlib import Path

import pytest
import torch

import wavezoo
from wavezoo.plugins.axes import AXES, KINDS
from wavezoo.plugins.loading import load_plugin, register
from wavezoo.plugins.registry import Registry


@pytest.fixture
def registry():
    return Registry(installed=False)


# What each bad plugin returns, given what makes another scheme of an axis, and what is said of it.
BAD = {
    "unknown hook 'wavezoo_integrator'. Hooks: wavezoo_integrators": lambda another: {"wavezoo_integrator": {}},
    "implements no hook": None,
    "return a dict": lambda another: {"wavezoo_integrators": None},
    "must be a subclass of wavezoo.Integrator": lambda another: {"wavezoo_integrators": {"x": 3}},
    "Other'>; it must be a subclass": lambda another: {"wavezoo_integrators": {"x": another("damping")}},
    "does not implement init, step": lambda another: {"wavezoo_integrators": {"x": wavezoo.Integrator}},
    "'linear' is taken by the plugin 'wavezoo'": lambda another: {"wavezoo_damping": {"linear": another("damping")}},
    "has no docstring": lambda another: {"wavezoo_mixers": {"x": type("Silent", (another("mixers"),), {})}},
    "cannot be written in a recipe": lambda another: {"wavezoo_integrators": {" x": another("integrators")}},
    "which is no file": lambda another: {"wavezoo_recipes": {"x": Path("nowhere.yaml")}},
    "it must be of wavezoo.data.entry.DatasetEntry": lambda another: {"wavezoo_datasets": {"x": 3}},
}


@pytest.mark.parametrize("message", BAD)
def test_a_bad_plugin_is_refused_whole(message, registry, plugin, another):
    before = {axis: registry.schemes(axis) for axis in AXES}
    good = {f"wavezoo_{axis}": {"good": another(axis)} for axis in AXES}
    hooks = {**good, **BAD[message](another)} if BAD[message] else {}
    with pytest.raises(wavezoo.PluginError, match="bad-plugin") as caught:
        registry.add(plugin(**hooks), "bad-plugin", "test")
    assert message in str(caught.value)
    assert {axis: registry.schemes(axis) for axis in AXES} == before
    registry.add(plugin(**good), "good-plugin", "test")
    assert "good" in registry.schemes("integrators")


@pytest.mark.parametrize("axis", AXES)
def test_undeclared_facts_are_named(axis, registry, plugin):
    contract = AXES[axis].contract
    facts = {name for name in vars(contract).get("__annotations__", {}) if not hasattr(contract, name)}
    if not facts:
        pytest.skip("declares nothing")
    methods = dict.fromkeys(contract.__abstractmethods__, lambda self: None)
    silent = type("Silent", (contract,), {"__doc__": "Says nothing of itself.", **methods})
    with pytest.raises(wavezoo.PluginError, match="does not declare") as caught:
        registry.add(plugin(**{AXES[axis].hook: {"x": silent}}), "p", "test")
    assert all(fact in str(caught.value) for fact in facts)


@pytest.mark.parametrize("error", [KeyError("nothing here"), SystemExit(3)], ids=repr)
@pytest.mark.parametrize("kind", KINDS)
def test_a_failing_hook_is_named_and_ends_nothing(kind, error, registry):
    def fail(self):
        raise error

    failing = type("Failing", (), {KINDS[kind].hook: wavezoo.hookimpl(fail)})()
    with pytest.raises(wavezoo.PluginError, match=f"'p': wavezoo_{kind} fails: {type(error).__name__}"):
        registry.add(failing, "p", "test")


def test_a_wrong_hook_signature_is_refused(registry):
    class Greedy:
        @wavezoo.hookimpl
        def wavezoo_fields(self, everything):
            return {}

    with pytest.raises(wavezoo.PluginError, match=r"(?s)'p'.*everything"):
        registry.add(Greedy(), "p", "test")


def test_registering_again_replaces_as_a_notebook_cell_does(registry, plugin, another):
    first, second = another("integrators"), another("integrators")
    register(plugin("Mine", wavezoo_integrators={"mine": first}), registry)
    register(plugin("Mine", wavezoo_integrators={"mine": second}), registry)
    assert registry.scheme("integrators", "mine") is second
    with pytest.raises(wavezoo.PluginError):
        register(plugin("Mine", wavezoo_integrators={"mine": 3}), registry)
    assert registry.scheme("integrators", "mine") is second
    with pytest.raises(wavezoo.PluginError, match="taken by the plugin 'Mine'"):
        register(plugin("Yours", wavezoo_integrators={"mine": first}), registry)
    with pytest.raises(wavezoo.PluginError, match=r"register\(Other\(\)\)"):
        register(first, registry)


def test_a_scratch_registry_forgets(registry, plugin, another):
    before = registry.schemes("integrators")
    with registry.scratch():
        register(plugin("Mine", wavezoo_integrators={"mine": another("integrators")}), registry)
        assert "mine" in registry.schemes("integrators")
    assert registry.schemes("integrators") == before


STEP_FAILS = """
import wavezoo
from wavezoo.wave import Yoshida4

class Failing(Yoshida4):
    '''Fails in its step.'''

    def step(self, system, state, dt):
        raise RuntimeError("out of steps")

@wavezoo.hookimpl
def wavezoo_integrators():
    return {"failing": Failing}
"""


def test_an_error_in_a_step_is_laid_to_its_plugin(tmp_path, scratch_registry):
    (tmp_path / "stumbling.py").write_text(STEP_FAILS)
    load_plugin(tmp_path / "stumbling.py")
    with pytest.raises(RuntimeError) as caught:
        wavezoo.create_operator(2, 1, integrator="failing")(torch.zeros(1, 2, 3))
    assert scratch_registry.at_fault(caught.value).name == "stumbling"
    with pytest.raises(KeyError) as caught:
        {}["nothing"]
    assert scratch_registry.at_fault(caught.value) is None


def test_a_class_from_a_file_can_be_pickled(tmp_path, scratch_registry):
    (tmp_path / "pickled one.py").write_text(STEP_FAILS)
    load_plugin(tmp_path / "pickled one.py")
    scheme = scratch_registry.scheme("integrators", "failing")
    assert pickle.loads(pickle.dumps(scheme)) is scheme
