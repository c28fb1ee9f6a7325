"""A mixer with a sense of direction and a gate."""

from torch import Tensor, nn
from torch.nn import functional as F

from wavezoo.wave.convolution import GridConv, conv


class GatedMixer(nn.Module):
    """A mixer with a sense of direction and a gate, ``(B, C, *G) -> (B, C, *G)``.

    A wave operator is isotropic, ``c² ∇²`` cannot tell left from right, and attention knows no positions. A depthwise
    convolution before them does. A mixer that leaves channels apart gets a gate, by which every position chooses how
    much it takes of what arrives, and a projection: ``proj(mixer(local(x)) * silu(gate(local(x))))``.

    Args:
        mixer: the mixer.
        channels: number of channels C.
        ndim: number of grid axes.
        gated: whether it gets a gate and a projection; without them the output is ``mixer(local(x))``.
        causal: let no position depend on later ones.
        kernel_size: width of the depthwise convolution, in cells.
    """

    def __init__(
        self, mixer: nn.Module, channels: int, ndim: int, *, gated: bool, causal: bool = False, kernel_size: int = 3
    ) -> None:
        super().__init__()
        self.local = GridConv(channels, channels, ndim, kernel_size, groups=channels, causal=causal)
        self.mixer = mixer
        self.gate = conv(ndim)(channels, channels, 1) if gated else None
        self.proj = conv(ndim)(channels, channels, 1) if gated else None

    def forward(self, x: Tensor) -> Tensor:
        """Map ``x`` of shape ``(B, C, *G)`` to the same shape."""
        x = self.local(x)
        if self.gate is None or self.proj is None:
            return self.mixer(x)
        return self.proj(self.mixer(x) * F.silu(self.gate(x)))
