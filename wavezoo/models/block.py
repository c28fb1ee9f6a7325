"""The block that every backbone is made of: a mixer of positions, then an MLP that mixes channels."""

import functools
from collections.abc import Mapping
from typing import Any

import torch
from timm.layers import DropPath
from timm.models import register_notrace_module
from torch import Tensor, nn
from torch.nn import functional as F

from wavezoo.config.spec import SchemeSpec, create_mixer, takes_operator
from wavezoo.errors import WavezooError
from wavezoo.mixers.base import Mixer
from wavezoo.nn.mlp import Mlp
from wavezoo.nn.norm import norm_layer
from wavezoo.wave.convolution import GridConv, conv


class GatedMixer(nn.Module):
    """A mixer with a sense of direction and a gate.

    A wave operator is isotropic, ``c² ∇²`` cannot tell left from right, and attention knows no positions. A depthwise
    convolution before them does. A mixer that leaves channels apart gets a gate, by which every position chooses how
    much it takes of what arrives, and a projection.

    Args:
        mixer: the mixer.
        causal: let no position depend on later ones.
        kernel_size: width of the depthwise convolution, in cells.
    """

    def __init__(self, mixer: Mixer, causal: bool = False, kernel_size: int = 3) -> None:
        super().__init__()
        channels, ndim = mixer.channels, mixer.ndim
        self.local = GridConv(channels, channels, ndim, kernel_size, groups=channels, causal=causal)
        self.mixer = mixer
        self.gate = None if mixer.projects else conv(ndim)(channels, channels, 1)
        self.proj = None if mixer.projects else conv(ndim)(channels, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        x = self.local(x)
        if self.gate is None or self.proj is None:
            return self.mixer(x)
        return self.proj(self.mixer(x) * F.silu(self.gate(x)))


class Block(nn.Module):
    """``x + mixer(norm(x))``, then ``x + mlp(norm(x))``, each with drop path, on ``(B, C, *G)``.

    Args:
        channels: number of channels C.
        ndim: number of grid axes.
        mixer: the mixer, by name or as a mapping with options.
        operator: keyword arguments of `wavezoo.create_operator`, for a mixer with a wave operator.
        causal: let no position depend on later ones.
        plain: let the mixer stand alone, as published, instead of in a `GatedMixer`.
        norm: what normalises the input of mixer and MLP, ``"layer"`` or ``"batch"``; see `norm_layer`.
        mlp_ratio: hidden channels of the MLP as a multiple of C, with the preset's wave operator. With a mixer of
            another kind they are as many as give the block the same number of parameters.
        drop_path: rate of stochastic depth.

    Raises:
        WavezooError: if the mixer cannot work, or if it leaves the MLP no parameters.
    """

    def __init__(
        self,
        channels: int,
        ndim: int,
        mixer: SchemeSpec,
        operator: Mapping[str, Any],
        *,
        causal: bool = False,
        plain: bool = False,
        norm: str = "layer",
        mlp_ratio: float = 4.0,
        drop_path: float = 0.0,
    ) -> None:
        super().__init__()
        self.norm1 = norm_layer(norm, ndim)(channels)
        self.mixer = _wrapped(create_mixer(channels, ndim, mixer, causal=causal, **operator), plain, causal)
        hidden = round(channels * mlp_ratio)
        if not takes_operator(mixer):
            spare = _parameters_with_wave(channels, ndim, operator["preset"], plain) - _parameters(self.mixer)
            hidden += round(spare / (2 * channels + 1))
            if hidden < 1:
                raise WavezooError(
                    f"the mixer {mixer!r} has {-spare:,} parameters more than the wave operator, and a block of "
                    f"{channels} channels has not as many to take from its MLP. Give the mixer fewer, or raise "
                    "mlp_ratio."
                )
        self.drop_path1 = DropPath(drop_path)
        self.norm2 = norm_layer(norm, ndim)(channels)
        self.mlp = Mlp(channels, ndim, hidden)
        self.drop_path2 = DropPath(drop_path)

    def forward(self, x: Tensor) -> Tensor:
        # Layer norm leaves channels last in memory, where the mixer's passes along the grid are slow.
        x = x + self.drop_path1(self.mixer(self.norm1(x).contiguous()))
        return x + self.drop_path2(self.mlp(self.norm2(x)))


def _wrapped(mixer: Mixer, plain: bool, causal: bool = False) -> nn.Module:
    # Whatever a mixer does with shapes, torch.fx need not trace it.
    register_notrace_module(type(mixer))
    return mixer if plain else GatedMixer(mixer, causal)


def _parameters(module: nn.Module) -> int:
    return sum(each.numel() for each in module.parameters())


@functools.cache
def _parameters_with_wave(channels: int, ndim: int, preset: str, plain: bool) -> int:
    with torch.device("meta"):
        return _parameters(_wrapped(create_mixer(channels, ndim, preset=preset), plain))
