"""The block that every backbone is made of: a wave layer that mixes positions, then an MLP that mixes channels."""

from collections.abc import Mapping
from typing import Any

from timm.layers import DropPath
from torch import Tensor, nn
from torch.nn import functional as F

from wavezoo.build import create_operator
from wavezoo.layers import ChannelNorm, Mlp, conv


class WaveMixer(nn.Module):
    """A wave operator with a sense of direction and a gate.

    The operator is isotropic: ``c² ∇²`` cannot tell left from right. A depthwise convolution before it can, and a
    gate lets every position choose how much of the arriving wave it takes.

    Args:
        channels: number of channels C.
        ndim: number of grid axes.
        operator: keyword arguments of `wavezoo.create_operator`.
        kernel_size: width of the depthwise convolution.
    """

    def __init__(self, channels: int, ndim: int, operator: Mapping[str, Any], kernel_size: int = 3) -> None:
        super().__init__()
        self.local = conv(ndim)(channels, channels, kernel_size, padding=kernel_size // 2, groups=channels)
        self.wave = create_operator(channels, ndim, **operator)
        self.gate = conv(ndim)(channels, channels, 1)
        self.proj = conv(ndim)(channels, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        x = self.local(x)
        return self.proj(self.wave(x) * F.silu(self.gate(x)))


class WaveBlock(nn.Module):
    """``x + mixer(norm(x))``, then ``x + mlp(norm(x))``, each with drop path, on ``(B, C, *G)``.

    Args:
        channels: number of channels C.
        ndim: number of grid axes.
        operator: keyword arguments of `wavezoo.create_operator`.
        plain: use the wave operator alone as the mixer, as published, instead of a `WaveMixer`.
        mlp_ratio: hidden channels of the MLP as a multiple of C.
        drop_path: rate of stochastic depth.
    """

    def __init__(
        self,
        channels: int,
        ndim: int,
        operator: Mapping[str, Any],
        plain: bool = False,
        mlp_ratio: float = 4.0,
        drop_path: float = 0.0,
    ) -> None:
        super().__init__()
        self.norm1 = ChannelNorm(channels)
        self.mixer = create_operator(channels, ndim, **operator) if plain else WaveMixer(channels, ndim, operator)
        self.drop_path1 = DropPath(drop_path)
        self.norm2 = ChannelNorm(channels)
        self.mlp = Mlp(channels, ndim, mlp_ratio)
        self.drop_path2 = DropPath(drop_path)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.drop_path1(self.mixer(self.norm1(x)))
        return x + self.drop_path2(self.mlp(self.norm2(x)))
