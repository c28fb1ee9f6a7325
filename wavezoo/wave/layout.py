"""The order in memory of fields ``(B, C, *G)``: channels first, or, as convolutions prefer it, channels last."""

from torch import Tensor


def channels_last(x: Tensor) -> bool:
    """Return whether ``x`` of shape ``(B, C, *G)`` lies in memory as ``(B, *G, C)``."""
    return not x.is_contiguous() and x.movedim(1, -1).is_contiguous()


def with_channels_last(x: Tensor) -> Tensor:
    """Return ``x`` of shape ``(B, C, *G)``, in memory ``(B, *G, C)``."""
    # In words that torch.func.vmap knows, as it does not know torch.channels_last.
    return x.movedim(1, -1).contiguous().movedim(-1, 1)


def laid_out_like(x: Tensor, other: Tensor) -> Tensor:
    """Return ``x``, ``(B, C, *G)``, channels last in memory if ``other`` is, and channels first otherwise.

    A pass over fields of both orders takes several times as long as one over fields of either.
    """
    return with_channels_last(x) if channels_last(other) else x.contiguous()
