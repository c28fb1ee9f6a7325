import importlib
import subprocess
import sys
import textwrap

import pytest

import wavezoo
from wavezoo.mixers.pooling import PoolingMixer
from wavezoo.plugins import hooks as hookspecs
from wavezoo.plugins.registry import AXES, Registry
from wavezoo.wave.damping.exponential import ExponentialDamping
from wavezoo.wave.drifts.uniform import UniformDrift
from wavezoo.wave.fields.constant import ConstantField
from wavezoo.wave.integrators.velocity_verlet import VelocityVerlet
from wavezoo.wave.laplacians.spectral import SpectralLaplacian
from wavezoo.wave.potentials.klein_gordon import KleinGordonPotential

HOOKS = [name for name, value in vars(hookspecs).items() if hasattr(value, "wavezoo_spec")]


class OtherLaplacian(SpectralLaplacian):
    """Another Laplacian."""


class OtherIntegrator(VelocityVerlet):
    """Another integrator."""


class OtherField(ConstantField):
    """Another field."""


class OtherDamping(ExponentialDamping):
    """Another damping."""


class OtherPotential(KleinGordonPotential):
    """Another potential."""


class OtherDrift(UniformDrift):
    """Another drift."""


class OtherMixer(PoolingMixer):
    """Another mixer."""


# One scheme for each hook; a hook without one has no test.
EXAMPLES = {
    "wavezoo_laplacians": (OtherLaplacian, {"laplacian": "other"}, "laplacian"),
    "wavezoo_integrators": (OtherIntegrator, {"integrator": "other"}, "integrator"),
    "wavezoo_fields": (OtherField, {"speed": "other"}, "speed"),
    "wavezoo_damping": (OtherDamping, {"damping": "other"}, "damping"),
    "wavezoo_potentials": (OtherPotential, {"potential": "other"}, "potential"),
    "wavezoo_drifts": (OtherDrift, {"drift": "other"}, "drift"),
    "wavezoo_mixers": (OtherMixer, {}, None),
}


def plugin(name="Plugin", **hooks):
    functions = {hook: wavezoo.hookimpl(lambda self, result=result: result) for hook, result in hooks.items()}
    return type(name, (), functions)()


def test_every_hook_has_an_example_here_and_every_axis_a_hook():
    assert set(HOOKS) == set(EXAMPLES) == {f"wavezoo_{axis}" for axis in AXES}


@pytest.mark.parametrize("hook", HOOKS)
def test_a_hook_brings_its_schemes(hook, empty_registry):
    scheme, choice, attribute = EXAMPLES[hook]
    empty_registry.add(plugin(**{hook: {"other": scheme}}), "other-plugin", "test")
    if attribute is None:
        assert type(wavezoo.create_mixer(3, 2, "other")) is scheme
    else:
        operator = wavezoo.create_operator(3, 2, **choice)
        assert type(getattr(operator, attribute)) is scheme
    assert empty_registry.owner(hook.removeprefix("wavezoo_"), "other").name == "other-plugin"


@pytest.mark.parametrize("hook", HOOKS)
def test_a_hook_is_documented(hook):
    specification = getattr(hookspecs, hook)
    assert len(specification.__doc__.splitlines()) >= 3
    assert specification.__annotations__["return"]


@pytest.mark.parametrize("axis", AXES)
def test_built_ins_come_through_the_hooks(axis):
    registry = Registry()
    assert registry.plugins()[0].source == "built in"
    assert set(registry.schemes(axis)) == set(registry.plugins()[0].schemes[axis])


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (plugin(wavezoo_integrator={}), "unknown hook 'wavezoo_integrator'. Hooks: wavezoo_integrators"),
        (plugin(), "implements no hook"),
        (plugin(wavezoo_integrators=None), "return a dict"),
        (plugin(wavezoo_integrators={"x": 3}), "must be a subclass of wavezoo.Integrator"),
        (plugin(wavezoo_integrators={"x": OtherDamping}), "must be a subclass of wavezoo.Integrator"),
        (plugin(wavezoo_integrators={"x": wavezoo.Integrator}), "does not implement init, step"),
        (plugin(wavezoo_damping={"linear": OtherDamping}), "'linear' is taken by the plugin 'wavezoo'"),
        (plugin(wavezoo_integrators={"x": type("NoDoc", (VelocityVerlet,), {})}), "has no docstring"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_bad_plugin_is_refused_whole(bad, message, empty_registry):
    before = {axis: empty_registry.schemes(axis) for axis in AXES}
    with pytest.raises(wavezoo.PluginError, match="bad-plugin") as caught:
        empty_registry.add(bad, "bad-plugin", "test")
    assert message in str(caught.value)
    assert {axis: empty_registry.schemes(axis) for axis in AXES} == before
    empty_registry.add(plugin(wavezoo_integrators={"good": OtherIntegrator}), "good-plugin", "test")
    assert "good" in empty_registry.schemes("integrators")


def test_undeclared_facts_are_named(empty_registry):
    class Undeclared(wavezoo.Integrator):
        """Says nothing of itself."""

        order = 1

        def init(self, system, u, v):
            return wavezoo.WaveState(u, v)

        def step(self, system, state, dt):
            return state

    with pytest.raises(
        wavezoo.PluginError,
        match="does not declare damped_order, symplectic, reversible, stability_limit, gamma_dt_limit",
    ):
        empty_registry.add(plugin(wavezoo_integrators={"x": Undeclared}), "p", "test")


def test_a_failing_hook_is_named(empty_registry):
    class Failing:
        @wavezoo.hookimpl
        def wavezoo_fields(self):
            raise KeyError("nothing here")

    with pytest.raises(wavezoo.PluginError, match="'p': wavezoo_fields fails: KeyError"):
        empty_registry.add(Failing(), "p", "test")


def test_a_wrong_hook_signature_is_refused(empty_registry):
    class Greedy:
        @wavezoo.hookimpl
        def wavezoo_fields(self, everything):
            return {}

    with pytest.raises(wavezoo.PluginError, match=r"(?s)'p'.*everything"):
        empty_registry.add(Greedy(), "p", "test")


def test_registering_again_replaces_as_a_notebook_cell_does(empty_registry):
    wavezoo.register(plugin("Mine", wavezoo_integrators={"mine": OtherIntegrator}))
    wavezoo.register(plugin("Mine", wavezoo_integrators={"mine": VelocityVerlet}))
    assert empty_registry.scheme("integrators", "mine") is VelocityVerlet
    with pytest.raises(wavezoo.PluginError):
        wavezoo.register(plugin("Mine", wavezoo_integrators={"mine": 3}))
    assert empty_registry.scheme("integrators", "mine") is VelocityVerlet
    with pytest.raises(wavezoo.PluginError, match="taken by the plugin 'Mine'"):
        wavezoo.register(plugin("Yours", wavezoo_integrators={"mine": OtherIntegrator}))
    with pytest.raises(wavezoo.PluginError, match=r"register\(OtherIntegrator\(\)\)"):
        wavezoo.register(OtherIntegrator)


FILE = """
import wavezoo
from wavezoo.integrators.velocity_verlet import VelocityVerlet

class FromFile(VelocityVerlet):
    '''From a file.'''

@wavezoo.hookimpl
def wavezoo_integrators():
    return {"from_file": FromFile}
"""


def test_a_file_is_a_plugin(tmp_path, empty_registry):
    (tmp_path / "my_plugin.py").write_text(FILE)
    for _ in range(2):
        assert wavezoo.load_plugin(str(tmp_path / "my_plugin.py")).name == "my_plugin"
    assert wavezoo.create_operator(3, 1, integrator="from_file").integrator.order == 2


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("import nothing_of_that_name", "ModuleNotFoundError"),
        ("def broken(:", "SyntaxError"),
        ("raise SystemExit(3)", "SystemExit"),
        ("x = 1", "implements no hook"),
    ],
)
def test_a_broken_file_is_one_readable_error(text, message, tmp_path, empty_registry):
    file = tmp_path / "broken_plugin.py"
    file.write_text(text)
    with pytest.raises(wavezoo.PluginError, match="broken_plugin") as caught:
        wavezoo.load_plugin(str(file))
    assert message in str(caught.value)


def test_missing_files_modules_and_taken_module_names(tmp_path, empty_registry):
    with pytest.raises(wavezoo.PluginError, match="does not exist"):
        wavezoo.load_plugin(str(tmp_path / "nowhere.py"))
    with pytest.raises(wavezoo.PluginError, match="no_such_module"):
        wavezoo.load_plugin("no_such_module")
    (tmp_path / "json.py").write_text(FILE)
    with pytest.raises(wavezoo.PluginError, match="rename the file"):
        wavezoo.load_plugin(str(tmp_path / "json.py"))


def install(folder, package, module, text):
    """Lay out a package with an entry point as an installer would."""
    (folder / f"{module}.py").write_text(text)
    info = folder / f"{package.replace('-', '_')}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[wavezoo]\nplugin = {module}\n")


@pytest.fixture
def installed(tmp_path, monkeypatch):
    install(tmp_path, "wavezoo-good", "good_plugin_module", FILE)
    install(tmp_path, "wavezoo-broken", "broken_plugin_module", "import nothing_of_that_name")
    monkeypatch.syspath_prepend(str(tmp_path))
    importlib.invalidate_caches()
    monkeypatch.delenv("WAVEZOO_LOAD_PLUGINS")
    yield tmp_path
    for module in ("good_plugin_module", "broken_plugin_module"):
        sys.modules.pop(module, None)


def test_installed_plugins_load_and_a_broken_one_stops_no_other(installed):
    registry = Registry()
    with pytest.warns(wavezoo.PluginWarning, match=r"wavezoo-broken.*ModuleNotFoundError"):
        assert "from_file" in registry.schemes("integrators")
    assert registry.owner("integrators", "from_file").source == "package wavezoo-good 1.0"
    (error,) = registry.left_out()
    assert "wavezoo-broken" in str(error)
    with pytest.raises(wavezoo.WavezooError, match=r"(?s)Left out:.*wavezoo-broken"):
        registry.scheme("integrators", "from_broken")
    registry.require(["wavezoo-good"])
    with pytest.raises(wavezoo.PluginError, match="pip install wavezoo-broken"):
        registry.require(["wavezoo-broken"])


def test_an_installed_plugin_named_as_a_module_is_loaded_once(installed, monkeypatch):
    (installed / "wavezoo_broken-1.0.dist-info" / "entry_points.txt").unlink()
    registry = Registry()
    monkeypatch.setattr("wavezoo.plugins.registry", registry)
    assert wavezoo.load_plugin("good_plugin_module").name == "wavezoo-good"
    registry.require(["Wavezoo_Good"])


def test_the_environment_selects_installed_plugins(installed, monkeypatch):
    monkeypatch.setenv("WAVEZOO_LOAD_PLUGINS", "")
    assert "from_file" not in Registry().schemes("integrators")
    monkeypatch.setenv("WAVEZOO_LOAD_PLUGINS", "wavezoo-good")
    assert "from_file" in Registry().schemes("integrators")


def test_importing_wavezoo_is_quiet_and_loads_no_plugin(installed):
    code = f"""
        import sys
        sys.path.insert(0, {str(installed)!r})
        import wavezoo
        print("good_plugin_module" in sys.modules)
    """
    done = subprocess.run(
        [sys.executable, "-W", "error::UserWarning", "-c", textwrap.dedent(code)],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "False\n"
    assert done.stderr == ""
