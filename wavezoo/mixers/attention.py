"""Self-attention as a mixer."""

from typing import overload

import torch
from timm.layers import use_fused_attn
from torch import Tensor, nn
from torch.nn import functional as F

from wavezoo.errors import WavezooError, require_choice, require_whole, shown
from wavezoo.mixers.contained import contained
from wavezoo.mixers.positions import LearnedPositions, RotaryPositions
from wavezoo.mixers.recurrent import RecurrentMixer, State

HEAD_CHANNELS = 32
POSITIONS = ("none", "rotary", "learned")
# On a CPU, measured: torch's fused kernel takes two to five times as long, backwards, in half precision up to here.
UNFUSED_LENGTH = 256


class AttentionMixer(RecurrentMixer):
    """Multi-head self-attention with its projections.

    Equation (Vaswani et al. 2017, equation 1): ``softmax(Q Kᵀ / sqrt(d)) V`` in each head. Reach: the whole grid. Cost:
    N² in the number of cells. Its state is the keys and values of all positions so far, and grows with them.

    Torch's fused kernel runs it, and plain products where these are faster or where timm's switch
    (``timm.layers.set_fused_attn``, the environment's TIMM_FUSED_ATTN) is off.

    Args:
        causal: let no position depend on later ones; sequences only.
        heads: number of heads, a divisor of the channels; by default the largest one that leaves a head at least 32.
        positions: ``"rotary"``, queries and keys that turn with their position (on images, rows and columns by half
            each); ``"learned"``, a vector for each position, added to the input; ``"none"``: then the depthwise
            convolution before it in the block alone tells positions apart.
        length: with learned positions, the most positions along an axis.

    Raises:
        WavezooError: if ``heads`` does not divide the channels, if there are no such positions, if rotary ones do not
            fit the heads, or unless ``length`` comes with learned ones.
    """

    causality = "optional"
    projects = True
    state_grows = True
    variants = (
        {"heads": 1},
        {"heads": 1, "positions": "rotary"},
        {"heads": 1, "positions": "learned", "length": 150},
    )

    def __init__(
        self,
        channels: int,
        ndim: int,
        *,
        causal: bool = False,
        heads: int | None = None,
        positions: str = "none",
        length: int | None = None,
    ) -> None:
        super().__init__(channels, ndim, causal=causal)
        if heads is None:
            most = max(1, channels // HEAD_CHANNELS)
            heads = max(each for each in range(1, most + 1) if channels % each == 0)
        if heads < 1 or channels % heads:
            divisors = ", ".join(str(each) for each in range(1, channels + 1) if channels % each == 0)
            raise WavezooError(
                f"heads is {heads!r}, which does not divide {channels} channels; give one of {divisors}."
            )
        require_choice("positions", positions, POSITIONS)
        if (length is None) == (positions == "learned"):
            raise WavezooError(
                f'positions is {positions!r} and length is {shown(length)}; give length with positions="learned", '
                "and only then."
            )
        self.heads = heads
        self.qkv = nn.Linear(channels, 3 * channels)
        self.proj = nn.Linear(channels, channels)
        self.learned = None if length is None else LearnedPositions(channels, ndim, require_whole("length", length))
        self.rotary = RotaryPositions(channels // heads, ndim) if positions == "rotary" else None
        if positions != "none":
            self.local_taps = 0

    def initial_state(self, batch: int) -> State:
        self._require_causal()
        none = self.qkv.weight.new_zeros(batch, self.heads, 0, self.channels // self.heads)
        return none, none

    @overload
    def forward(self, x: Tensor) -> Tensor: ...

    @overload
    def forward(self, x: Tensor, state: State) -> tuple[Tensor, State]: ...

    def forward(self, x: Tensor, state: State | None = None) -> Tensor | tuple[Tensor, State]:
        start = 0 if state is None else state[0].shape[2]
        clean, poison = contained(x) if self.causal else (x, None)
        if self.learned is not None:
            clean = self.learned(clean, start)
        qkv = self.qkv(clean.flatten(2).mT).unflatten(-1, (3, self.heads, -1))
        q, k, v = qkv.permute(2, 0, 3, 1, 4)
        if self.rotary is not None:
            q, k = (self.rotary(each, x.shape[2:], start) for each in (q, k))
        if state is not None:
            k, v = (torch.cat([past.to(now.dtype), now], 2) for past, now in zip(state, (k, v), strict=True))
        mixed = self.proj(_attention(q, k, v, self.causal).transpose(1, 2).flatten(2)).mT
        if poison is None:
            return mixed.reshape(x.shape)
        # Positions mix whatever the channel.
        seen = poison.sum(1, keepdim=True)
        y = mixed + seen.to(mixed.dtype)
        if state is None:
            return y
        return y, (k, torch.cat([v[:, :, :start], v[:, :, start:] + seen[:, :, :, None].to(v.dtype)], 2))


def _attention(q: Tensor, k: Tensor, v: Tensor, causal: bool) -> Tensor:
    """Return what ``(B, H, N, D)`` queries take of keys and values ``(B, H, M, D)``, whose last N are their own."""
    length, total = q.shape[2], k.shape[2]
    mask = None
    if causal and length > 1:
        mask = torch.ones(length, total, dtype=torch.bool, device=q.device).tril(total - length)
    small = q.device.type == "cpu" and q.dtype in (torch.bfloat16, torch.float16) and total <= UNFUSED_LENGTH
    if use_fused_attn() and not small:
        whole = length == total
        return F.scaled_dot_product_attention(q, k, v, None if whole else mask, is_causal=whole and mask is not None)
    scores = (q * q.shape[-1] ** -0.5) @ k.mT
    if mask is not None:
        scores = scores.masked_fill(~mask, float("-inf"))
    return scores.softmax(-1) @ v
