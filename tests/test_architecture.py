"""The direction of imports: nothing on the left knows what stands to its right."""

import ast
import subprocess
from pathlib import Path

import pytest

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
    "bench": {"bench", "config", "errors", "mixers", "models", "testing", "wave"},
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
