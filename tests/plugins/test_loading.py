import importlib
import subprocess
import sys
import textwrap
import wave

import pytest

import wavezoo
from wavezoo.plugins.loading import load_plugin
from wavezoo.plugins.registry import Registry

FILE = """
import wavezoo
from wavezoo.wave import VelocityVerlet

class FromFile(VelocityVerlet):
    '''From a file.'''

@wavezoo.hookimpl
def wavezoo_integrators():
    return {"from_file": FromFile}
"""


@pytest.mark.parametrize("name", ["my_plugin", "my-plugin", "my.plugin", "my plugin", "pläne", "wave", "json", "torch"])
def test_a_file_is_a_plugin_whatever_its_name(name, tmp_path, scratch_registry):
    (tmp_path / f"{name}.py").write_text(FILE)
    for _ in range(2):
        assert load_plugin(str(tmp_path / f"{name}.py")).name == name
    assert wavezoo.create_operator(3, 1, integrator="from_file").integrator.order == 2
    scratch_registry.require([name])


def test_a_file_hides_no_other_module(tmp_path, scratch_registry):
    (tmp_path / "wave.py").write_text(FILE)
    load_plugin(tmp_path / "wave.py")
    assert importlib.import_module("wave") is wave
    assert wave.open


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("import nothing_of_that_name", "ModuleNotFoundError"),
        ("def broken(:", "SyntaxError"),
        ("raise SystemExit(3)", "SystemExit"),
        ("x = 1", "implements no hook"),
    ],
)
def test_a_broken_file_is_one_readable_error(text, message, tmp_path):
    file = tmp_path / "broken_plugin.py"
    file.write_text(text)
    with pytest.raises(wavezoo.PluginError, match="broken_plugin") as caught:
        load_plugin(str(file), Registry(installed=False))
    assert message in str(caught.value)


@pytest.mark.parametrize(
    "reference", ["nowhere.py", "no_such_module", "", ".relative", "two words", "a-dash", "x" * 5000]
)
def test_what_is_not_there_is_one_readable_error(reference, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(wavezoo.PluginError):
        load_plugin(reference, Registry(installed=False))


def install(folder, package, module, text):
    """Lay out a package with an entry point as an installer would."""
    (folder / f"{module}.py").write_text(text)
    info = folder / f"{package.replace('-', '_')}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[wavezoo]\nplugin = {module}\n")


BROKEN = "import nothing_of_that_name"
EXITS = "import sys, wavezoo\n@wavezoo.hookimpl\ndef wavezoo_fields(): sys.exit(0)"


@pytest.fixture
def installed(tmp_path, monkeypatch):
    install(tmp_path, "wavezoo-good", "good_plugin_module", FILE)
    install(tmp_path, "wavezoo-broken", "broken_plugin_module", BROKEN)
    install(tmp_path, "wavezoo-exits", "exiting_plugin_module", EXITS)
    monkeypatch.syspath_prepend(str(tmp_path))
    importlib.invalidate_caches()
    monkeypatch.delenv("WAVEZOO_LOAD_PLUGINS")
    yield tmp_path
    for module in ("good_plugin_module", "broken_plugin_module", "exiting_plugin_module"):
        sys.modules.pop(module, None)


@pytest.mark.filterwarnings("ignore::wavezoo.PluginWarning")
def test_installed_plugins_load_and_a_broken_one_stops_no_other(installed):
    registry = Registry()
    assert "from_file" in registry.schemes("integrators")
    assert registry.owner("integrators", "from_file").source == "package wavezoo-good 1.0"
    assert {"wavezoo-broken", "wavezoo-exits"} == {str(error).split("'")[1] for error in registry.left_out()}
    with pytest.raises(wavezoo.WavezooError, match=r"(?s)Left out:.*wavezoo-broken"):
        registry.scheme("integrators", "from_broken")
    registry.require(["wavezoo-good"])
    with pytest.raises(wavezoo.PluginError, match="pip install wavezoo-broken"):
        registry.require(["wavezoo-broken"])


def test_what_is_left_out_is_warned_of(installed, monkeypatch):
    monkeypatch.setenv("WAVEZOO_LOAD_PLUGINS", "wavezoo-broken")
    with pytest.warns(wavezoo.PluginWarning, match=r"wavezoo-broken.*ModuleNotFoundError"):
        Registry().plugins()


@pytest.mark.filterwarnings("ignore::wavezoo.PluginWarning")
def test_an_installed_plugin_named_as_a_module_is_loaded_once(installed):
    registry = Registry()
    assert load_plugin("good_plugin_module", registry).name == "wavezoo-good"
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
