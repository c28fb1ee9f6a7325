"""Documents that people write and runs keep: plain YAML, read strictly, with the place of every key.

A document holds texts, numbers, truth values, null, lists and maps, as in YAML 1.2's core schema: ``1e-3`` is a
number, ``no`` and ``2024-05-01`` are texts. It holds no anchors, aliases, tags or merge keys, so that reading it runs
no code and takes no more memory than its text.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from wavezoo.errors import WavezooError
from wavezoo.files import find_file, is_file

LARGEST = 2**20
DEEPEST = 20
LONGEST_INTEGER = 40
MOST_BASES = 20

KeyPath = tuple[str | int, ...]

NULL = re.compile(r"~|null|Null|NULL|")
TRUE, FALSE = re.compile(r"true|True|TRUE"), re.compile(r"false|False|FALSE")
INTEGERS = {10: re.compile(r"[-+]?[0-9]+"), 8: re.compile(r"0o[0-7]+"), 16: re.compile(r"0x[0-9a-fA-F]+")}
FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
# What no file name, no terminal and no UTF-8 file can hold.
UNFIT = re.compile("[\x00\ud800-\udfff]")


class Document(NamedTuple):
    """What a document says, and where it says it.

    Attributes:
        content: texts, numbers, truth values, None, lists and maps with texts as keys.
        places: where each key and list entry stands, by the keys that lead there, such as ``recipe.yaml:7``.
    """

    content: Any
    places: dict[KeyPath, str]


def parse(text: str, source: str, by_line: bool = True) -> Document:
    """Return what ``text`` says.

    Args:
        text: the document.
        source: where it comes from, in words; errors and places begin with it.
        by_line: whether places tell the line too.

    Raises:
        WavezooError: naming source and line, if the text is no such document.
    """
    return _Reader(text, source, by_line).document()


def read_document(path: Path) -> Document:
    """Return what the file at ``path`` says.

    Raises:
        WavezooError: if the file cannot be read, is larger than 1 MiB, or is no document.
    """
    path = find_file(path, "file")
    try:
        with path.open("rb") as file:
            data = file.read(LARGEST + 1)
    except OSError as error:
        raise WavezooError(f"{path} cannot be read: {error.strerror}.") from error
    if len(data) > LARGEST:
        raise WavezooError(f"{path} is larger than {LARGEST:,} bytes; it is no document of this kind.")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise WavezooError(f"{path}:{line}: not YAML: the byte {data[error.start]:#04x} is not UTF-8.") from error
    return parse(text, str(path))


def read_with_bases(path: Path, find: Callable[[str], Path], above: tuple[Path, ...] = ()) -> Document:
    """Return what the mapping at ``path`` says over the one that its key ``base`` names.

    Args:
        path: the file.
        find: returns the file of a base that does not lie beside ``path``, or raises WavezooError.
        above: the files that stand on this one.

    Raises:
        WavezooError: naming file and line, if a file cannot be read, is no mapping, or stands on itself.
    """
    content, places = read_document(path)
    if not isinstance(content, dict):
        raise WavezooError(f"{path}: a recipe is a mapping from keys to values, such as `epochs: 10`.")
    if "base" not in content:
        return Document(content, places)
    where, reference = places[("base",)], content.pop("base")
    if not isinstance(reference, str):
        raise WavezooError(f"{where}: base is {reference!r}; give the name or the path of another recipe.")
    beside = path.parent / reference
    try:
        base = beside if is_file(beside) else find(reference)
    except WavezooError as error:
        raise WavezooError(f"{where}: base: {error}") from None
    chain = (*above, path.resolve())
    if base.resolve() in chain:
        raise WavezooError(f"{where}: base: {reference} leads back to {path.name}; a recipe cannot stand on itself.")
    if len(chain) > MOST_BASES:
        raise WavezooError(f"{where}: base: more than {MOST_BASES} recipes stand on each other.")
    below = read_with_bases(base, find, chain)
    return Document(merged(below.content, content), below.places | places)


def merged(below: Mapping[str, Any], above: Mapping[str, Any], depth: int = 1) -> dict[str, Any]:
    """Return both, keys of ``above`` winning.

    What lies deeper than sections, such as a scheme's options, is replaced as a whole.
    """
    both = dict(below)
    for key, value in above.items():
        mappings = isinstance(value, dict) and isinstance(below.get(key), dict)
        both[key] = merged(below[key], value, depth - 1) if mappings and depth else value
    return both


def parse_override(override: str) -> tuple[tuple[str, ...], Any]:
    """Return keys and value of ``key=value``, with dots between nested keys, such as ``optimizer.lr=1e-3``.

    Raises:
        WavezooError: if it is not of this form.
    """
    dotted, separator, text = override.partition("=")
    keys = tuple(dotted.split("."))
    if not separator or not all(keys):
        raise WavezooError(f"--set {override!r} is not of the form key=value, such as optimizer.lr=1e-3.")
    if len(keys) > DEEPEST:
        raise WavezooError(f"--set {override!r} leads through more than {DEEPEST} keys.")
    return keys, parse(text, f"--set {override}", by_line=False).content


def overridden(document: Document, overrides: Sequence[str]) -> Document:
    """Return ``document`` with the values of ``overrides`` in place of its own.

    Raises:
        WavezooError: if one is not of the form ``key=value``, or leads through something that is no mapping.
    """
    content, places = document.content, dict(document.places)
    for override in overrides:
        keys, value = parse_override(override)
        content = _with_value(content, keys, value, override)
        places[keys] = f"--set {override}"
    return Document(content, places)


def dump(content: Any) -> str:
    """Return ``content`` as a document that `parse` reads back."""
    return yaml.dump(content, Dumper=_Dumper, sort_keys=False, allow_unicode=True)


def _with_value(content: Any, keys: Sequence[str], value: Any, override: str) -> dict[str, Any]:
    first, *rest = keys
    if not rest:
        return {**content, first: value}
    below = content.get(first, {})
    if not isinstance(below, dict):
        raise WavezooError(f"--set {override}: {first!r} is not a section, so it has no key {rest[0]!r}.")
    return {**content, first: _with_value(below, rest, value, override)}


class _Reader:
    """Builds a document from the parser's events, which refer to nothing but themselves."""

    def __init__(self, text: str, source: str, by_line: bool) -> None:
        self.text, self.source, self.by_line = text, source, by_line
        self.places: dict[KeyPath, str] = {}

    def document(self) -> Document:
        try:
            events = (event for event in yaml.parse(self.text, Loader=yaml.SafeLoader))
            return Document(self._root(events), self.places)
        except yaml.YAMLError as error:
            mark = getattr(error, "problem_mark", None)
            reason = getattr(error, "problem", None) or getattr(error, "reason", None) or "it cannot be read"
            line = mark.line if mark else self.text.count("\n", 0, getattr(error, "position", 0))
            raise self._error(line, f"not YAML: {reason}") from error
        # PyYAML's scanner converts escapes and directives without asking whether it can.
        except (ValueError, OverflowError) as error:
            if isinstance(error, WavezooError):
                raise
            raise WavezooError(f"{self.source}: not YAML: {error}.") from error

    def _root(self, events: Iterator[Any]) -> Any:
        content, documents = None, 0
        for event in events:
            if isinstance(event, yaml.DocumentStartEvent):
                documents += 1
                if documents > 1:
                    line = event.start_mark.line if event.start_mark else 0
                    raise self._error(line, "a second document begins here; give one")
            elif isinstance(event, yaml.NodeEvent):
                content = self._value(event, events, ())
        return content

    def _value(self, event: Any, events: Iterator[Any], keys: KeyPath) -> Any:
        line = event.start_mark.line
        if len(keys) > DEEPEST:
            raise self._error(line, f"nested deeper than {DEEPEST} levels")
        if isinstance(event, yaml.AliasEvent) or event.anchor is not None:
            raise self._error(line, "not YAML of this kind: anchors (&) and aliases (*) are not allowed")
        if event.tag is not None:
            raise self._error(line, f"not YAML of this kind: tags such as {event.tag} are not allowed")
        if isinstance(event, yaml.ScalarEvent):
            return self._scalar(event)
        return self._list(events, keys) if isinstance(event, yaml.SequenceStartEvent) else self._map(events, keys)

    def _list(self, events: Iterator[Any], keys: KeyPath) -> list[Any]:
        entries: list[Any] = []
        while not isinstance(event := next(events), yaml.SequenceEndEvent):
            below = (*keys, len(entries))
            self.places[below] = self._place(event.start_mark.line)
            entries.append(self._value(event, events, below))
        return entries

    def _map(self, events: Iterator[Any], keys: KeyPath) -> dict[str, Any]:
        entries: dict[str, Any] = {}
        while not isinstance(event := next(events), yaml.MappingEndEvent):
            line = event.start_mark.line
            key = self._value(event, events, (*keys, ""))
            if not isinstance(key, str):
                raise self._error(line, f"the key {key!r} is no text; put it in quotes if it is meant so")
            if key == "<<":
                raise self._error(line, "not YAML of this kind: merge keys (<<) are not allowed")
            if key in entries:
                raise self._error(line, f"the key {key!r} is given twice")
            below = (*keys, key)
            self.places[below] = self._place(line)
            entries[key] = self._value(next(events), events, below)
        return entries

    def _scalar(self, event: Any) -> Any:
        text: str = event.value
        if unfit := UNFIT.search(text):
            raise self._error(event.start_mark.line, f"the character {unfit.group()!r} is not allowed")
        plain = event.implicit[0] and event.style is None
        return self._plain(text, event.start_mark.line) if plain else text

    def _plain(self, text: str, line: int) -> Any:
        if NULL.fullmatch(text):
            return None
        if TRUE.fullmatch(text) or FALSE.fullmatch(text):
            return bool(TRUE.fullmatch(text))
        for base, digits in INTEGERS.items():
            if digits.fullmatch(text):
                if len(text) > LONGEST_INTEGER:
                    raise self._error(line, f"a number of {len(text)} digits; give at most {LONGEST_INTEGER}")
                return int(text, base)
        if FLOAT.fullmatch(text):
            return float(text.replace(".inf", "inf").replace(".nan", "nan") if text[-1].isalpha() else text)
        return text

    def _place(self, line: int) -> str:
        return f"{self.source}:{line + 1}" if self.by_line else self.source

    def _error(self, line: int, reason: str) -> WavezooError:
        return WavezooError(f"{self._place(line)}: {reason}.")


class _Dumper(yaml.SafeDumper):
    """Puts into quotes what `parse`, or another reader of YAML, would not take for a text."""

    def ignore_aliases(self, data: Any) -> bool:
        return True

    def represent_str(self, data: str) -> yaml.ScalarNode:
        style = None if data.isprintable() else '"'
        return self.represent_scalar("tag:yaml.org,2002:str", data, style=style)


_Dumper.add_implicit_resolver("tag:yaml.org,2002:float", re.compile(f"^(?:{FLOAT.pattern})$"), list("-+.0123456789"))
_Dumper.add_implicit_resolver("tag:yaml.org,2002:int", re.compile(f"^(?:{INTEGERS[8].pattern})$"), ["0"])
_Dumper.add_representer(str, _Dumper.represent_str)
