"""Padding: which part of a row is a sequence, and how what comes of the parts is put together.

Shapes: B batch, N length, C channels.
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from wavezoo.errors import WavezooError

# Where the elements of a sequence begin, and where they end.
Span = tuple[int, int]


def spans_of(mask: Tensor) -> list[Span]:
    """Return where the elements of each sequence begin and end, read back from the device.

    Args:
        mask: ``(B, N)``, True at the elements, False at padding.

    Raises:
        WavezooError: if a sequence has no element, or a gap.
    """
    spans = []
    for sample, row in enumerate(mask.tolist()):
        count = sum(row)
        start = row.index(True) if count else 0
        if not count:
            raise WavezooError(f"the mask leaves sample {sample} no element; drop the sample.")
        if not all(row[start : start + count]):
            raise WavezooError(
                f"the mask of sample {sample} has a gap; padding may stand before or after the elements, not between."
            )
        spans.append((start, start + count))
    return spans


def by_length(encode: Callable[[Tensor], Tensor], x: Tensor, spans: Sequence[Span]) -> Tensor:
    """Encode sequences cut to their own length, those of equal length together.

    Args:
        encode: maps sequences ``(b, n, ...)`` without padding to ``(b, n, C)``.
        x: sequences ``(B, N, ...)``.
        spans: where each begins and ends.

    Returns:
        ``(B, N, C)``, zero at padding.
    """
    samples_of: dict[int, list[int]] = {}
    for sample, (start, stop) in enumerate(spans):
        samples_of.setdefault(stop - start, []).append(sample)
    elements, places = [], []
    for samples in samples_of.values():
        cut = torch.stack([x[sample, slice(*spans[sample])] for sample in samples])
        elements.append(encode(cut).flatten(0, 1))
        places += [torch.arange(*spans[sample]) + sample * x.shape[1] for sample in samples]
    encoded = torch.cat(elements)
    features = encoded.new_zeros(x.shape[0] * x.shape[1], encoded.shape[1])
    return features.index_copy(0, torch.cat(places).to(x.device), encoded).unflatten(0, x.shape[:2])


def pooled(x: Tensor, mask: Tensor | None, pool: str) -> Tensor:
    """Return what a classifier sees of ``x``, ``(B, N, C)``.

    Args:
        x: features of every element.
        mask: ``(B, N)``, True at the elements; None if there is no padding.
        pool: ``"mean"``, ``"first"`` or ``"last"`` for ``(B, C)``; ``""`` for all, ``(B, N, C)``.
    """
    if not pool:
        return x
    if mask is None:
        return x.mean(1) if pool == "mean" else x[:, 0 if pool == "first" else -1]
    mask = mask.to(x.device)
    if pool == "mean":
        return (x * mask.unsqueeze(-1)).sum(1) / mask.sum(1, keepdim=True)
    position = torch.arange(x.shape[1], device=x.device)
    wanted = torch.where(mask, position, -1).amax(1) if pool == "last" else mask.int().argmax(1)
    return x[torch.arange(x.shape[0], device=x.device), wanted]
