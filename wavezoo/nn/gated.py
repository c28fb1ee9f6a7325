"""A mixer with a sense of direction and a gate."""

from torch import Tensor, nn
from torch.nn import functional as F

from wavezoo.errors import WavezooError, require_whole
from wavezoo.wave.convolution import GridConv, conv


class GatedMixer(nn.Module):
    """A mixer with a sense of direction and a gate, ``(B, C, *G) -> (B, C, *G)``.

    A wave operator is isotropic, ``c² ∇²`` cannot tell left from right, and attention without positions knows of none.
    A depthwise convolution before them does. A mixer that leaves channels apart gets a gate, by which every position
    chooses how much it takes of what arrives, and a projection: ``proj(mixer(local(x)) * silu(gate(local(x))))``.

    Args:
        mixer: the mixer.
        channels: number of channels C.
        ndim: number of grid axes.
        gated: whether it gets a gate and a projection; without them the output is ``mixer(local(x))``.
        causal: let no position depend on later ones.
        kernel_size: width of the depthwise convolution, in cells, odd unless ``causal``; 0 for none.

    Raises:
        WavezooError: if ``kernel_size`` is no such width.
    """

    def __init__(
        self, mixer: nn.Module, channels: int, ndim: int, *, gated: bool, causal: bool = False, kernel_size: int = 3
    ) -> None:
        super().__init__()
        width = require_whole("width of the convolution in front of a mixer, local_taps,", kernel_size, 0)
        if width and width % 2 == 0 and not causal:
            raise WavezooError(
                f"local_taps is {width}, and a convolution of so many cells has no middle; give an odd number, 0 for "
                "none, or causal=True."
            )
        self.local = GridConv(channels, channels, ndim, width, groups=channels, causal=causal) if width else None
        self.mixer = mixer
        self.gate = conv(ndim)(channels, channels, 1) if gated else None
        self.proj = conv(ndim)(channels, channels, 1) if gated else None

    def forward(self, x: Tensor) -> Tensor:
        """Map ``x`` of shape ``(B, C, *G)`` to the same shape."""
        if self.local is not None:
            x = self.local(x)
        if self.gate is None or self.proj is None:
            return self.mixer(x)
        return self.proj(self.mixer(x) * F.silu(self.gate(x)))
