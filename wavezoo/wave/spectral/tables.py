"""Tables of numbers that depend on the grid alone: made in float64 and rounded once."""

import torch
from torch import Tensor


def counted(size: int, like: Tensor, first: int = 0) -> Tensor:
    """Return ``first, first + 1, ...``, ``size`` whole numbers, where a table for ``like`` is to be made."""
    # Apple's GPUs have no float64, so their tables are made beside them.
    device = torch.device("cpu") if like.device.type == "mps" else like.device
    # An arange, because a graph compiled with fftfreq would be tied to the size.
    return torch.arange(first, first + size, device=device)


def rounded(table: Tensor, like: Tensor) -> Tensor:
    """Return a table on the device of ``like``, rounded to its dtype."""
    return table.to(device=like.device, dtype=like.dtype)
