"""Writes the pages that follow from the code: one for each axis, and the command line's help.

Run by mkdocs. What it says is read from the table of axes, the registry, and the schemes' facts and docstrings.
"""

import inspect
import os
from collections.abc import Iterable, Sequence
from pathlib import Path

import mkdocs_gen_files

# The built-ins alone, whatever is installed beside.
os.environ["WAVEZOO_LOAD_PLUGINS"] = ""

from typer.main import get_command

from wavezoo.cli.app import app
from wavezoo.plugins.axes import AXES, WHOLE, Axis
from wavezoo.plugins.registry import registry

EXAMPLES = Path("docs") / "examples" / "axes"


def first_line(documented: object) -> str:
    return (inspect.getdoc(documented) or "").partition("\n")[0]


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(str(cell).replace("|", "\\|") for cell in line) + " |" for line in lines) + "\n"


def path_of(thing: type) -> str:
    return f"{thing.__module__}.{thing.__qualname__}"


def built_as(axis: Axis) -> str:
    return f"cls({', '.join([*axis.built_with, *(f'{option}=…' for option in axis.given), '**options'])})"


def directive(thing: type, level: int, members: bool) -> str:
    shown = "" if members else "\n      members: false"
    return f"::: {path_of(thing)}\n    options:\n      heading_level: {level}{shown}\n"


def scheme_section(axis: Axis, name: str, scheme: type) -> str:
    facts = [(f"`{fact}`", f"`{getattr(scheme, fact)}`") for fact in inspect.get_annotations(axis.contract)]
    needs = [need for need, wanted in vars(scheme.requires).items() if wanted] if hasattr(scheme, "requires") else []
    facts += [("requires", ", ".join(f"`{need}`" for need in needs))] * bool(needs)
    return f"### {name}\n\n{directive(scheme, 4, members=False)}\n{table(['fact', 'value'], facts)}\n"


def example(axis: Axis) -> str:
    file = EXAMPLES / f"{axis.name}.py"
    if not file.is_file():
        return ""
    return f"## One of your own\n\n```python\n{file.read_text(encoding='utf-8').strip()}\n```\n\n"


def axis_page(axis: Axis) -> str:
    schemes = registry.schemes(axis.name)
    roles = " and ".join(f"`{role}`" for role in axis.roles)
    chosen = f"Chosen by the keyword {roles} of `create_operator` and of the models. " if roles else ""
    none = f'`"none"` stands for no {axis.singular} at all. ' if axis.optional else ""
    names = table(["name", "is"], [(f"[`{name}`](#{name})", first_line(scheme)) for name, scheme in schemes.items()])
    sections = "\n".join(scheme_section(axis, name, scheme) for name, scheme in schemes.items())
    return (
        f"# {axis.name.capitalize()}\n\n{first_line(axis.contract)}\n\n{chosen}{none}A plugin brings more by the hook "
        f"`{axis.hook}`, which returns classes by name; each is built as `{built_as(axis)}`.\n\n{names}\n"
        f"{example(axis)}## The contract\n\n{directive(axis.contract, 3, members=True)}\n## Built-in {axis.name}\n\n"
        f"{sections}"
    )


def overview() -> str:
    rows = [
        (
            f"[{axis.name}]({axis.name}.md)",
            ", ".join(f"`{role}`" for role in axis.roles) or "`mixer` of the models",
            ", ".join(f"`{name}`" for name in registry.schemes(axis.name)),
            first_line(axis.contract),
        )
        for axis in AXES.values()
    ]
    others = [(f"`{kind.hook}`", kind.summary) for kind in WHOLE.values()]
    return (
        "# Axes\n\nWhatever can be swapped stands on an axis. A scheme is given by its name, or as a mapping of `name` "
        'and its options: `laplacian={"name": "finite_difference", "order": 4}` in Python, the same in a recipe. '
        "`wavezoo list integrators` and `wavezoo describe finite_difference` show on the command line what these pages "
        "show.\n\n"
        f"{table(['axis', 'keyword', 'built in', 'is'], rows)}\n"
        "What does not fit together is refused when the operator is built, with the schemes that would fit.\n\n"
        "Plugins bring whole things too:\n\n"
        f"{table(['hook', 'brings'], others)}"
    )


def commands_page() -> str:
    command = get_command(app)
    parts = ["# Command line\n"]
    waiting = [("wavezoo", command)]
    while waiting:
        path, each = waiting.pop(0)
        nested = getattr(each, "commands", {})
        parts.append(f"## {path}\n\n{(each.help or '').strip()}\n")
        rows = [
            (
                " ".join(f"`{said}`" for said in (option.opts or [option.name])),
                (getattr(option, "help", "") or "").strip(),
            )
            for option in each.params
        ]
        if rows:
            parts.append(table(["argument or option", "is"], rows))
        waiting = [*((f"{path} {name}", below) for name, below in nested.items()), *waiting]
    return "\n".join(parts)


for shown in AXES.values():
    with mkdocs_gen_files.open(f"axes/{shown.name}.md", "w") as page:
        page.write(axis_page(shown))
with mkdocs_gen_files.open("axes/index.md", "w") as page:
    page.write(overview())
with mkdocs_gen_files.open("commands.md", "w") as page:
    page.write(commands_page())
