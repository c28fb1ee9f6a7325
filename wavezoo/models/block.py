"""The block that every backbone is made of: slots that hold a mixer of positions, an MLP, norms and what one adds."""

from collections.abc import Mapping
from typing import overload

from timm.layers import DropPath
from timm.models import register_notrace_module
from torch import Tensor, nn

from wavezoo.config.spec import MixerSpec
from wavezoo.errors import WavezooError, not_allowed
from wavezoo.mixers.base import Mixer
from wavezoo.models.matching import hidden_channels
from wavezoo.models.placing import placed
from wavezoo.nn.carried import State, initial_state
from wavezoo.nn.mlp import Mlp
from wavezoo.nn.norm import norm_layer
from wavezoo.wave.convolution import Conv1d, Conv2d

# Whatever these do with shapes and layouts, torch.fx need not trace it.
for module in (Mixer, Conv1d, Conv2d):
    register_notrace_module(module)

SLOTS = ("first", "before_mixer", "beside_mixer", "after_mixer", "before_mlp", "beside_mlp", "after_mlp")


class Block(nn.Module):
    """Two residual branches on ``(B, C, *G)``, of layers placed in named slots.

    ::

        x = first(x)
        x = x + drop_path1(after_mixer(mixer(before_mixer(norm1(x))) + beside_mixer(norm1(x))))
        x = x + drop_path2(after_mlp(mlp(before_mlp(norm2(x))) + beside_mlp(norm2(x))))

    An empty slot stands for the identity, one beside another for nothing: a wave beside attention is a block with
    attention for ``mixer`` and the wave ``beside_mixer``.

    Args:
        mixer: what mixes positions.
        mlp: what mixes channels.
        norm1: what normalises the mixer's input.
        norm2: what normalises the MLP's.
        drop_path: rate of stochastic depth.
        extra: more layers, each ``(B, C, *G) -> (B, C, *G)``, by slot: one of `SLOTS`.

    Raises:
        WavezooError: if there is no such slot.
    """

    def __init__(
        self,
        mixer: nn.Module,
        mlp: nn.Module,
        norm1: nn.Module,
        norm2: nn.Module,
        *,
        drop_path: float = 0.0,
        extra: Mapping[str, nn.Module] | None = None,
    ) -> None:
        super().__init__()
        self.norm1 = norm1
        self.mixer = mixer
        self.drop_path1 = DropPath(drop_path)
        self.norm2 = norm2
        self.mlp = mlp
        self.drop_path2 = DropPath(drop_path)
        extra = dict(extra or {})
        self.first = extra.pop("first", None)
        self.before_mixer = extra.pop("before_mixer", None)
        self.beside_mixer = extra.pop("beside_mixer", None)
        self.after_mixer = extra.pop("after_mixer", None)
        self.before_mlp = extra.pop("before_mlp", None)
        self.beside_mlp = extra.pop("beside_mlp", None)
        self.after_mlp = extra.pop("after_mlp", None)
        if extra:
            raise not_allowed("slot of a block", next(iter(extra)), SLOTS)

    def initial_state(self, batch: int) -> State:
        """Return the state before the first position of a sequence, that of the mixer.

        Raises:
            WavezooError: if the mixer has none to go on from, or if there are layers in other slots.
        """
        if filled := [slot for slot in SLOTS if getattr(self, slot) is not None]:
            raise WavezooError(
                f"a block with a layer in the slot {filled[0]} has no state to go on from. Run it over whole sequences."
            )
        return initial_state(self.mixer, batch)

    @overload
    def forward(self, x: Tensor) -> Tensor: ...

    @overload
    def forward(self, x: Tensor, state: State) -> tuple[Tensor, State]: ...

    def forward(self, x: Tensor, state: State | None = None) -> Tensor | tuple[Tensor, State]:
        """Map ``x`` of shape ``(B, C, *G)`` to the same shape, and given a state, also return the state after ``x``."""
        if state is not None:
            mixed, state = self.mixer(self.norm1(x), state)
            x = x + self.drop_path1(mixed)
            return x + self.drop_path2(self.mlp(self.norm2(x))), state
        if self.first is not None:
            x = self.first(x)
        mixed = _branch(self.norm1(x), self.before_mixer, self.mixer, self.beside_mixer, self.after_mixer)
        x = x + self.drop_path1(mixed)
        mapped = _branch(self.norm2(x), self.before_mlp, self.mlp, self.beside_mlp, self.after_mlp)
        return x + self.drop_path2(mapped)


def _branch(
    x: Tensor, before: nn.Module | None, layer: nn.Module, beside: nn.Module | None, after: nn.Module | None
) -> Tensor:
    out = layer(x if before is None else before(x))
    if beside is not None:
        out = out + beside(x)
    return out if after is None else after(out)


def wave_block(
    channels: int,
    ndim: int,
    mixer: MixerSpec,
    *,
    mlp_ratio: float,
    matching: str = "parameters",
    local_taps: int | None = None,
    norm: str = "layer",
    drop_path: float = 0.0,
) -> Block:
    """Build the block of the wave backbones.

    Args:
        channels: number of channels C.
        ndim: number of grid axes.
        mixer: builds the mixer, which stands in a `GatedMixer` unless its spec is plain.
        mlp_ratio: hidden channels of the MLP as a multiple of C, see `hidden_channels`.
        matching: the rule for them.
        local_taps: width of the depthwise convolution in front of the mixer, see `placed`.
        norm: what normalises the input of mixer and MLP, ``"layer"`` or ``"batch"``; see `norm_layer`.
        drop_path: rate of stochastic depth.

    Raises:
        WavezooError: if the mixer cannot work, or if it leaves the MLP no parameters.
    """
    layer = placed(mixer, channels, ndim, local_taps)
    hidden = hidden_channels(matching, channels, ndim, mlp_ratio, mixer, layer, local_taps)
    norms = norm_layer(norm, ndim)
    return Block(layer, Mlp(channels, ndim, hidden), norms(channels), norms(channels), drop_path=drop_path)
