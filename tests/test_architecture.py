"""How the house is built: the direction of imports, the size of files, what is exported and what is kept private."""

import ast
import importlib
import inspect
import subprocess
import sys
from pathlib import Path

import pytest

import wavezoo.wave
from wavezoo.plugins.axes import AXES, KINDS
from wavezoo.plugins.hooks import HOOKS
from wavezoo.plugins.registry import registry

LONGEST_FILE = 350
PACKAGE = Path(__file__).parent.parent / "wavezoo"
# Each wing with those of ours that it may import: names -> the wave -> networks -> learning -> tools.
ALLOWED = {
    "errors": set(),
    "files": {"errors"},
    "devices": {"errors"},
    "wave": {"errors", "wave"},
    "nn": {"errors", "nn", "wave"},
    "mixers": {"errors", "mixers", "nn", "wave"},
    "plugins": {"data", "errors", "mixers", "models", "plugins", "tasks", "wave"},
    "config": {"config", "errors", "files", "mixers", "plugins", "wave"},
    "models": {"config", "errors", "mixers", "models", "nn", "plugins", "wave"},
    "data": {"data", "errors", "files", "plugins"},
    "tasks": {"data", "errors", "files", "plugins", "tasks"},
    "runs": {"config", "data", "errors", "files", "runs"},
    "train": {"config", "data", "devices", "errors", "files", "models", "plugins", "runs", "tasks", "train", "wave"},
    "experiments": {"config", "errors", "experiments", "files", "plugins", "runs", "train"},
    "testing": {"config", "errors", "mixers", "plugins", "testing", "wave"},
    "bench": {"bench", "config", "errors", "experiments", "files", "mixers", "models", "runs", "testing", "wave"},
    "export": {"config", "data", "errors", "export", "files", "models", "plugins", "runs", "train", "wave"},
    "cli": {
        "bench",
        "cli",
        "config",
        "data",
        "devices",
        "errors",
        "experiments",
        "export",
        "models",
        "plugins",
        "runs",
        "tasks",
        "testing",
        "train",
        "wave",
    },
    "__main__": {"cli"},
}
# Wings that others may import from inside functions only, since these register what those define.
LAZY = {"plugins": {"data", "models", "tasks"}}
# Accelerate is known to one place only.
ACCELERATE = {"train"}


def imports(file):
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}: relative import"
            yield from (
                (f"{node.module}.{alias.name}" for alias in node.names) if node.module == "wavezoo" else [node.module]
            )


FILES = [file for file in sorted(PACKAGE.rglob("*.py")) if file != PACKAGE / "__init__.py"]


def part_of(file):
    return file.relative_to(PACKAGE).with_suffix("").parts[0]


def test_every_part_has_a_place():
    assert {part_of(file) for file in FILES} <= set(ALLOWED)


def test_the_order_has_no_cycle():
    remaining = {part: allowed - {part} - LAZY.get(part, set()) for part, allowed in ALLOWED.items()}
    while remaining:
        leaves = {part for part, allowed in remaining.items() if not allowed & set(remaining)}
        assert leaves, f"cycle among {sorted(remaining)}"
        remaining = {part: allowed for part, allowed in remaining.items() if part not in leaves}


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(PACKAGE)))
def test_imports_go_one_way(file):
    for name in imports(file):
        top, _, rest = name.partition(".")
        if top == "wavezoo":
            assert rest.partition(".")[0] in ALLOWED[part_of(file)], f"{file} imports {name}"
        if top == "accelerate":
            assert part_of(file) in ACCELERATE, f"{file} imports {name}"


@pytest.mark.parametrize("file", [file for file in FILES if part_of(file) == "wave"], ids=lambda file: file.name)
def test_the_wave_needs_torch_alone(file):
    allowed = {"wavezoo", "torch", "numpy", *sys.stdlib_module_names}
    assert {name.partition(".")[0] for name in imports(file)} <= allowed


def test_the_wave_can_be_imported_alone():
    heavy = ("timm", "pydantic", "accelerate", "datasets", "typer", "rich", "torchvision", "pluggy", "sklearn", "yaml")
    code = (
        "import sys\n"
        "from wavezoo.wave import WaveOperator, SpectralLaplacian, VelocityVerlet\n"
        f"print(*(name for name in {heavy} if name in sys.modules))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.split() == []


@pytest.mark.parametrize(
    "file",
    [*FILES, PACKAGE / "__init__.py", *Path(__file__).parent.rglob("*.py")],
    ids=lambda file: str(file.relative_to(PACKAGE.parent)),
)
def test_files_are_short(file):
    assert len(file.read_text(encoding="utf-8").splitlines()) <= LONGEST_FILE


@pytest.mark.parametrize(
    ("axis", "name"), [(axis, name) for axis in AXES for name in registry.schemes(axis)], ids=lambda value: value
)
def test_every_scheme_class_is_exported(axis, name):
    scheme = registry.scheme(axis, name)
    folder = importlib.import_module(AXES[axis].path.partition(":")[0])
    assert getattr(folder, scheme.__name__) is scheme
    assert scheme.__name__ in folder.__all__
    if folder.__name__.startswith("wavezoo.wave."):
        assert getattr(wavezoo.wave, scheme.__name__) is scheme


@pytest.mark.parametrize("hook", HOOKS)
def test_every_hook_is_documented_and_tested(hook):
    specification = HOOKS[hook]
    assert inspect.getdoc(specification)
    assert inspect.signature(specification).return_annotation is not inspect.Signature.empty
    tests = [*(PACKAGE.parent / "tests").rglob("*.py"), *(PACKAGE.parent / "docs" / "examples").rglob("*.py")]
    assert any(file.name != Path(__file__).name and hook in file.read_text(encoding="utf-8") for file in tests)


def test_every_kind_has_its_hook():
    assert set(HOOKS) == {kind.hook for kind in KINDS.values()}


TESTS = sorted((PACKAGE.parent / "tests").rglob("*.py"))


# Public by their documentation, in spite of the underscore: those of named tuples.
DOCUMENTED = ("_replace", "_asdict", "_fields")


def private(name):
    return name.startswith("_") and not name.startswith("__") and name not in DOCUMENTED


def own_names(tree):
    """What a test file defines itself, and may use: functions, classes and what is set on self."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store) and ast.unparse(node.value) == "self":
            yield node.attr


@pytest.mark.parametrize("file", TESTS, ids=lambda file: file.name)
def test_no_test_reaches_for_private_names(file):
    tree = ast.parse(file.read_text(encoding="utf-8"))
    own = set(own_names(tree))
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("wavezoo"):
            reached = [alias.name for alias in node.names if private(alias.name)]
            assert not reached, f"line {node.lineno} imports {reached}"
        elif isinstance(node, ast.Attribute) and private(node.attr) and node.attr not in own:
            foreign = ast.unparse(node.value).split(".")[0] in ("torch", "os", "sys", "timm", "AcceleratorState")
            assert foreign, f"line {node.lineno} reaches for {node.attr}"
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value.startswith("wavezoo."):
            last = node.value.rpartition(".")[2]
            assert not (private(last) and last.isidentifier()), f"line {node.lineno} reaches for {node.value}"


def test_nothing_loads_a_pickle_or_runs_code_from_a_file():
    for file in FILES:
        text = file.read_text()
        assert text.count("torch.load(") == text.count("weights_only=True"), file
        assert "yaml.load(" not in text, file
        assert part_of(file) == "testing" or "pickle" not in imports(file), file


def test_top_level_is_what_was_agreed():
    listed = subprocess.run(["git", "ls-files"], cwd=PACKAGE.parent, capture_output=True, text=True, check=False)
    if listed.returncode:
        pytest.skip("not a git checkout")
    top = {line.partition("/")[0] for line in listed.stdout.splitlines()}
    assert top <= {
        "wavezoo",
        "plugins",
        "recipes",
        "tests",
        "pyproject.toml",
        "README.md",
        "LICENSE",
        "CHANGELOG.md",
        "CONTRIBUTING.md",
        "docs",
        "mkdocs.yml",
        ".ci",
        ".gitignore",
        ".pre-commit-config.yaml",
    }
