"""A batch in blocks of samples that stay in the cache of a CPU through many passes.

Shapes: B batch, the first dimension of a tensor that has a value for each sample; 1 where it has one for all.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

# What a block of samples has at most: 2 MiB in all for a field, its velocity, pull and push in float32, which then stay
# in the cache of one core.
BLOCK_CELLS = 2**18


class Block(NamedTuple):
    """Some samples of a batch, ``first`` to ``last`` of ``batch``."""

    first: int
    last: int
    batch: int

    def of(self, tensor: Tensor | None) -> Tensor | None:
        """Return what belongs to these samples of a tensor that has a value for each, or one for all."""
        return tensor[self.first : self.last] if tensor is not None and self.divides(tensor) else tensor

    def divides(self, tensor: Tensor) -> bool:
        """Return whether a tensor has a value for each sample."""
        return self.batch > 1 and tensor.shape[0] == self.batch


def blocks_of(u: Tensor, *others: Tensor | None) -> list[Block]:
    """Return the batch in blocks; on a CPU, of as many samples as its cache can hold through a run."""
    batch = max(each.shape[0] for each in (u, *others) if each is not None and each.ndim == u.ndim)
    size = max(1, BLOCK_CELLS // u[0].numel()) if u.device.type == "cpu" else batch
    return [Block(first, min(first + size, batch), batch) for first in range(0, batch, size)]


class Gathered:
    """Gradients of tensors, block by block."""

    def __init__(self, given: Sequence[Tensor | None]) -> None:
        self.given = given
        self.parts: list[list[Tensor]] = [[] for _ in given]

    def add(self, block: Block, found: Sequence[Tensor | None]) -> None:
        """Take in the gradients of a block."""
        for given, parts, each in zip(self.given, self.parts, found, strict=True):
            if given is None or each is None:
                continue
            each = each.sum_to_size(each.shape[0] if block.divides(given) else given.shape[0], *given.shape[1:])
            if parts and not block.divides(given):
                parts[0] = parts[0] + each
            else:
                parts.append(each)

    def gradients(self) -> list[Tensor | None]:
        """Return the gradient of each tensor; None for zero."""
        return [None if not parts else parts[0] if len(parts) == 1 else torch.cat(parts) for parts in self.parts]
