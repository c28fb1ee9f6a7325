"""The precision in which waves are solved, whatever autocast says."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

import torch


def without_autocast(device: torch.device) -> AbstractContextManager[object]:
    """Return a context without autocast, or none where it is off or where ``device`` (the meta device) knows none."""
    # A context that changes nothing would still be a graph of its own in an exported program.
    if torch.amp.is_autocast_available(device.type) and torch.is_autocast_enabled(device.type):
        return torch.autocast(device.type, enabled=False)
    return nullcontext()


def autocast_dtype(device: torch.device) -> torch.dtype | None:
    """Return the dtype in which autocast has matrix products on ``device``; None where it is off."""
    if torch.amp.is_autocast_available(device.type) and torch.is_autocast_enabled(device.type):
        return torch.get_autocast_dtype(device.type)
    return None


def autocast_as_now(device: torch.device) -> Callable[[], AbstractContextManager[object]]:
    """Return a function that gives a context in which autocast is what it is now, for what is computed again later."""
    if not torch.amp.is_autocast_available(device.type):
        return nullcontext
    enabled, dtype = torch.is_autocast_enabled(device.type), torch.get_autocast_dtype(device.type)
    return lambda: torch.autocast(device.type, dtype, enabled)
