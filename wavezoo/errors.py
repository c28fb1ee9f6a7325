"""Errors that a user can act on, and the one way to word them."""

import difflib
import numbers
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from operator import index
from typing import SupportsIndex

MOST_CHOICES = 12
# More steps, channels or iterations than this are a slip, and would run for ever.
LARGEST_WHOLE = 2**24
MOST_LETTERS = 120


class WavezooError(ValueError):
    """Something the user gave cannot work; the message says what, what is allowed and what to do.

    Attributes:
        keys: the keys, outermost first, under which it was given; empty where that is not known.
    """

    keys: tuple[str, ...] = ()


class UnmetRequirement(WavezooError):  # noqa: N818
    """Schemes that do not fit each other.

    Attributes:
        axis: the axis on which another scheme would do, such as ``"laplacians"``.
        fact: the fact that such a scheme declares, such as ``"diagonal"``.
        value: the value of that fact, such as True.
    """

    def __init__(self, message: str, axis: str, fact: str, value: object) -> None:
        super().__init__(message)
        self.axis = axis
        self.fact = fact
        self.value = value


class PluginError(WavezooError):
    """A plugin could not be loaded; the message names the plugin."""


class PluginWarning(UserWarning):
    """An installed plugin was left out; the message names it and says why."""


class DataWarning(UserWarning):
    """Some samples were left out; the message says which and why."""


class ReverseWarning(UserWarning):
    """A trajectory was computed again instead of run backwards; the message says why."""


@contextmanager
def under(key: str) -> Iterator[None]:
    """Add ``key`` to the `WavezooError.keys` of what is raised inside: what it complains of was given there."""
    try:
        yield
    except WavezooError as error:
        error.keys = (key, *error.keys)
        raise


def shown(value: object) -> str:
    """Return how a message shows a ``value``: an array by its shape, an object by its class, long text cut."""
    if getattr(value, "ndim", 0):
        return f"a {type(value).__name__} of shape {tuple(getattr(value, 'shape', ()))}"
    # Modules and other objects print themselves at length, or as an address.
    text = repr(value)
    if "\n" in text or (text.startswith("<") and not isinstance(value, type)):
        return f"an object of the class {type(value).__name__}"
    return text if len(text) <= MOST_LETTERS else f"{text[: MOST_LETTERS - 1]}…"


def nearest_first(value: object, allowed: Iterable[object]) -> list[str]:
    """Return ``allowed`` as text, the entries most like ``value`` first."""
    names = list(dict.fromkeys(str(name) for name in allowed))
    text = value.lower() if isinstance(value, str) else shown(value)
    likeness = {name: difflib.SequenceMatcher(None, text, name.lower()).ratio() for name in names}
    return sorted(names, key=lambda name: -likeness[name])


def not_allowed(what: str, value: object, allowed: Iterable[object], next_step: str = "") -> WavezooError:
    """Return the error for a ``value`` outside a finite set of choices.

    Args:
        what: what the value was meant to name, such as ``"integrator"``.
        value: what was given.
        allowed: the choices; the nearest are shown first.
        next_step: a sentence that says how to get on.
    """
    choices = nearest_first(value, allowed)
    listed = ", ".join(choices[:MOST_CHOICES]) or "nothing"
    more = f" and {len(choices) - MOST_CHOICES} more" if len(choices) > MOST_CHOICES else ""
    return WavezooError(f"{what} is {shown(value)}; allowed, nearest first: {listed}{more}. {next_step}".rstrip())


def require_whole(what: str, value: SupportsIndex, least: int = 1) -> int:
    """Return ``value``, a whole number of any type, as an int.

    Raises:
        WavezooError: if it is none, less than ``least``, or more than 2²⁴.
    """
    try:
        whole = None if isinstance(value, bool) else index(value)
    except TypeError:
        whole = None
    if whole is None or whole < least:
        raise WavezooError(f"{what} is {shown(value)}; give a whole number, at least {least}.")
    if whole > LARGEST_WHOLE:
        raise WavezooError(f"{what} is {shown(value)}; give a whole number, at most {LARGEST_WHOLE:,}.")
    return whole


def require_choice(what: str, value: object, allowed: Iterable[object]) -> None:
    """Raise the error of `not_allowed` unless ``value``, which may be anything, is one of ``allowed``."""
    choices = list(allowed)
    # Not by a set or a mapping, which fail on what has no hash.
    if value not in choices:
        raise not_allowed(what, value, choices)


def require_positive(what: str, value: float) -> None:
    """Raise `WavezooError` unless ``value`` is a finite number above zero."""
    if not isinstance(value, numbers.Real) or not 0 < value < float("inf"):
        raise WavezooError(f"{what} is {shown(value)}; give a finite number greater than 0.")
