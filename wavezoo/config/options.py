"""Options of classes and functions, checked against signatures before they are used."""

import functools
import inspect
from collections.abc import Callable, Iterable, Mapping
from typing import Any, get_type_hints

import numpy as np
from pydantic import TypeAdapter, ValidationError

from wavezoo.errors import WavezooError, not_allowed, shown, under


def scheme_options(scheme: Callable[..., object]) -> dict[str, Any]:
    """Return a scheme's options and their defaults; an option without one has ``inspect.Parameter.empty``."""
    parameters = inspect.signature(scheme).parameters.values()
    return {each.name: each.default for each in parameters if each.kind is inspect.Parameter.KEYWORD_ONLY}


def annotations(target: Callable[..., object]) -> dict[str, Any]:
    """Return the types of ``target``'s parameters, but for those that only a type checker can tell."""
    function = target.__init__ if inspect.isclass(target) else target
    try:
        return get_type_hints(function, include_extras=True)
    # Names that are imported for type checkers only.
    except Exception:
        hints = inspect.get_annotations(function)
        return {name: hint for name, hint in hints.items() if not isinstance(hint, str)}


def check_options(
    what: str, options: Mapping[str, Any], target: Callable[..., object], known: Iterable[str]
) -> dict[str, Any]:
    """Check keyword arguments for ``target`` against its signature before they are used.

    Args:
        what: what the options are options of, in words.
        options: the keyword arguments.
        target: the class or function that they are for.
        known: the names that may be given.

    Returns:
        The options, with NumPy's numbers and arrays as Python's.

    Raises:
        WavezooError: naming the first option that is unknown or of the wrong type.
    """
    known = list(known)
    checked = {}
    for option, value in options.items():
        with under(option):
            if option not in known:
                raise not_allowed(what, option, known)
            checked[option] = plain(value)
            _check_type(f"{what} {option}", checked[option], _adapter(target, option))
    return checked


def plain(value: object) -> Any:
    """Return NumPy's numbers and arrays as Python's, inside lists, tuples and mappings too; all else as it is."""
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, (list, tuple)) and type(value) in (list, tuple):
        return type(value)(plain(each) for each in value)
    if isinstance(value, dict):
        return {key: plain(each) for key, each in value.items()}
    return value


def _check_type(what: str, value: object, adapter: TypeAdapter[Any] | None) -> None:
    if adapter is None:
        return
    try:
        adapter.validate_python(value, strict=True)
    except ValidationError as error:
        reason = error.errors(include_input=False, include_url=False)[0]["msg"]
        raise WavezooError(f"{what} is {shown(value)}: {reason[0].lower()}{reason[1:]}.") from None


@functools.cache
def _adapter(target: Callable[..., object], option: str) -> TypeAdapter[Any] | None:
    annotation = annotations(target).get(option)
    return None if annotation is None else TypeAdapter(annotation, config={"arbitrary_types_allowed": True})
