"""Self-attention as a mixer."""

from timm.layers import Attention
from torch import Tensor

from wavezoo.errors import WavezooError
from wavezoo.mixers.base import Mixer

HEAD_CHANNELS = 32


class AttentionMixer(Mixer):
    """Multi-head self-attention with its projections, timm's.

    Equation (Vaswani et al. 2017, equation 1): ``softmax(Q Kᵀ / sqrt(d)) V`` in each head. Reach: the whole grid. Cost:
    N² in the number of cells. It knows no positions; the depthwise convolution before it in the block does.

    Args:
        causal: let no position depend on later ones; sequences only.
        heads: number of heads, a divisor of the channels; by default the largest one that leaves a head at least 32.

    Raises:
        WavezooError: if ``heads`` does not divide the channels.
    """

    causality = "optional"
    projects = True
    variants = ({"heads": 1},)

    def __init__(self, channels: int, ndim: int, *, causal: bool = False, heads: int | None = None) -> None:
        super().__init__(channels, ndim, causal=causal)
        if heads is None:
            most = max(1, channels // HEAD_CHANNELS)
            heads = max(each for each in range(1, most + 1) if channels % each == 0)
        if heads < 1 or channels % heads:
            divisors = ", ".join(str(each) for each in range(1, channels + 1) if channels % each == 0)
            raise WavezooError(
                f"heads is {heads!r}, which does not divide {channels} channels; give one of {divisors}."
            )
        self.attention = Attention(channels, heads, qkv_bias=True)

    def forward(self, x: Tensor) -> Tensor:
        tokens = self.attention(x.flatten(2).mT, is_causal=self.causal)
        return tokens.mT.reshape(x.shape)
