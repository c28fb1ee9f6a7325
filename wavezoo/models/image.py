"""The backbone of the image models.

After Wave-PDE Nets (Vejendla 2025): transformer-like blocks in which a simulated wave takes the place of attention.
Shapes: B batch, C channels, H height, W width; channels first.
"""

import functools
from collections.abc import Sequence
from contextlib import nullcontext
from typing import Any

import timm
import torch
from timm.layers import NormMlpClassifierHead
from timm.models import checkpoint_seq
from torch import Tensor, nn
from typing_extensions import Unpack

from wavezoo.config.scheme import SchemeChoice
from wavezoo.config.spec import MixerSpec, OperatorChoices, mixer_spec
from wavezoo.errors import WavezooError, not_allowed, require_choice, require_whole
from wavezoo.models.backbone import (
    MLP_RATIO,
    Backbone,
    check_operator_choices,
    check_placement,
    check_rates,
    counts,
    drop_path_rates,
    outputs,
)
from wavezoo.models.block import wave_block
from wavezoo.models.entry import ModelEntry
from wavezoo.models.sizes import check_size, image_size, stages_named
from wavezoo.models.variants import IMAGE
from wavezoo.nn.norm import norm_layer
from wavezoo.wave.convolution import GridConv
from wavezoo.wave.layout import with_channels_last

# Those of timm's that keep the width.
GLOBAL_POOLS = ("avg", "max", "avgmax", "fast", "fastavg", "fastmax", "fastavgmax", "")


class WaveStage(nn.Module):
    """An optional downsampling convolution and a run of wave blocks, ``(B, C, H, W) -> (B, C', H / s, W / s)``.

    Args:
        in_dim: number of channels C.
        dim: number of channels C'.
        stride: what the stage was made to reduce its maps by, s.
        reduces: whether it does; if not, its layers keep the distances that they have on the reduced maps.
        scale: how fine its input is, compared with what it was made for.
        drop_paths: rate of stochastic depth of each block.
        mixer: builds the mixers.
        norm: as for `wave_block`.
        mlp_ratio: likewise.
        matching: likewise.
        local_taps: likewise.
    """

    def __init__(
        self,
        in_dim: int,
        dim: int,
        stride: int,
        reduces: bool,
        scale: float,
        drop_paths: Sequence[float],
        mixer: MixerSpec,
        norm: str,
        mlp_ratio: float,
        matching: str,
        local_taps: int | None,
    ) -> None:
        super().__init__()
        self.downsample: nn.Module = nn.Identity()
        if stride > 1 or in_dim != dim:
            shrink = GridConv(in_dim, dim, 2, 2 * stride - 1, stride if reduces else 1)
            self.downsample = nn.Sequential(norm_layer(norm, 2)(in_dim), shrink)
        rules: dict[str, Any] = {"mlp_ratio": mlp_ratio, "matching": matching, "local_taps": local_taps}
        block = functools.partial(wave_block, dim, 2, mixer, norm=norm, **rules)
        self.blocks = nn.Sequential(*[block(drop_path=rate) for rate in drop_paths])
        self.grad_checkpointing = False
        self.grid_scales = {"downsample": scale, "blocks": scale if reduces else scale / stride}

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(B, C, H, W)`` to ``(B, C', H / s, W / s)``."""
        x = self.downsample(x)
        if self.grad_checkpointing and not torch.jit.is_scripting():
            return checkpoint_seq(self.blocks, x)
        return self.blocks(x)


class WavePDE(Backbone):
    """An image classifier and feature extractor of wave blocks, on images ``(B, in_chans, H, W)`` of any size.

    Args:
        in_chans: number of image channels.
        num_classes: number of classes; 0 for no classifier.
        global_pool: timm's name of the pooling before the classifier; ``""`` for none.
        img_size: size of the images, checked against the smallest that the stages can take; nothing else depends on
            it.
        depths: number of blocks in each stage.
        dims: number of channels in each stage.
        strides: downsampling at the start of each stage after the first, whose own is ``patch_size``.
        patch_size: side of the square patches that become grid cells.
        mlp_ratio: hidden channels of the MLPs as a multiple of their width, in a block with a wave operator; see
            ``matching`` for other mixers.
        matching: ``"parameters"``: another mixer's MLPs are as wide as makes the block as large as that of the preset's
            wave operator; ``"width"``: they are as wide, whatever the mixer.
        local_taps: width of the depthwise convolution in front of every mixer, odd, 0 for none; by default what each
            declares: 3 cells, and none in front of attention with positions of its own.
        norm: ``"layer"``, over the channels of each position, or ``"batch"``, of each channel over batch and positions,
            which suits images that are alike on the average, such as Pathfinder's.
        preset: ``"closed_form"``, ``"stepped"`` or ``"paper"``: the choice on every axis, and for the last the block.
        mixer: what mixes positions, by name or as a mapping with options: ``"wave"``, or ``"attention"``,
            ``"depthwise"``, ``"global_filter"``, ``"pooling"``, ``"none"`` for comparison.
        grid_spacing: distance of two pixels in units of that in training; see `set_grid_spacing`.
        drop_rate: dropout before the classifier.
        drop_path_rate: stochastic depth at the last block, growing linearly from 0 at the first.
        output_stride: the most that maps are reduced by, 32 or less: later stages keep their resolution, and the
            distances that their layers were trained with, as a segmentation head asks for.
        device: where to build the parameters.
        dtype: their dtype.
        **operator: in place of the preset's: the schemes ``laplacian``, ``integrator``, ``speed``, ``damping_field``,
            ``damping``, ``potential`` and ``drift``, by name or as a mapping with options, and the options of
            `wavezoo.WaveOperator`: ``steps``, ``dt``, ``learn_dt``, ``initial_velocity``, ``readout``,
            ``courant_guard``, ``gradient`` and ``causal``.

    Raises:
        WavezooError: naming the option that cannot work, what is allowed and what to do.
        TypeError: for an unknown keyword.
    """

    head: NormMlpClassifierHead

    def __init__(
        self,
        in_chans: int = 3,
        num_classes: int = 1000,
        global_pool: str = "avg",
        img_size: int | tuple[int, int] | None = None,
        *,
        depths: Sequence[int] = (3, 3, 9, 3),
        dims: Sequence[int] = (96, 192, 384, 768),
        strides: Sequence[int] = (1, 2, 2, 2),
        patch_size: int = 4,
        mlp_ratio: float = MLP_RATIO,
        matching: str = "parameters",
        local_taps: int | None = None,
        norm: str = "layer",
        preset: str = "closed_form",
        mixer: SchemeChoice = "wave",
        grid_spacing: float = 1.0,
        drop_rate: float = 0.0,
        drop_path_rate: float = 0.0,
        output_stride: int = 32,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
        **operator: Unpack[OperatorChoices],
    ) -> None:
        super().__init__()
        check_operator_choices(type(self), operator)
        check_rates(mlp_ratio, drop_rate=drop_rate, drop_path_rate=drop_path_rate)
        check_placement(device, dtype)
        depths, dims, strides = counts("depths", depths), counts("dims", dims), counts("strides", strides)
        patch_size = require_whole("patch_size", patch_size)
        output_stride = max(require_whole("output_stride", output_stride), patch_size)
        _check_architecture(depths, dims, strides, global_pool)
        spec = mixer_spec(mixer, preset, **operator)
        self.num_classes = outputs(num_classes)
        self.in_chans = require_whole("in_chans", in_chans)
        self.num_features = self.head_hidden_size = dims[-1]
        self.drop_rate = drop_rate
        self.feature_info: list[dict[str, Any]] = []
        rates = iter(drop_path_rates(drop_path_rate, sum(depths)))
        with torch.device(device) if device is not None else nullcontext():
            # Overlapping windows: odd sizes lose no edge, and one-pixel patches still see their neighbours.
            self.stem = GridConv(self.in_chans, dims[0], 2, max(2 * patch_size - 1, 3), patch_size)
            stages = []
            reduction, scale = patch_size, 1.0
            for index, (dim, stride) in enumerate(zip(dims, strides, strict=True)):
                reduces = reduction * stride <= output_stride
                in_dim, own = dims[max(index - 1, 0)], [next(rates) for _ in range(depths[index])]
                rules = norm, mlp_ratio, matching, local_taps
                stages.append(WaveStage(in_dim, dim, stride, reduces, scale, own, spec, *rules))
                reduction, scale = (reduction * stride, scale) if reduces else (reduction, scale / stride)
                self.feature_info.append({"num_chs": dim, "reduction": reduction, "module": f"stages.{index}"})
            self.stages = nn.Sequential(*stages)
            self.head = NormMlpClassifierHead(
                dims[-1], self.num_classes, pool_type=global_pool, drop_rate=drop_rate, norm_layer=norm_layer(norm, 2)
            )
        self.smallest_size = reduction
        if img_size is not None:
            check_size(image_size(img_size), self.smallest_size)
        if dtype is not None:
            self.to(dtype)
        self.set_grid_spacing(grid_spacing)

    def forward_features(self, x: Tensor) -> Tensor:
        """Map images to the last stage's maps, ``(B, num_features, H / reduction, W / reduction)``.

        Raises:
            WavezooError: if the images are too small for the stages.
        """
        return self.stages(self._stem(x))

    def forward_head(self, x: Tensor, pre_logits: bool = False) -> Tensor:
        """Map the last stage's maps to logits ``(B, num_classes)``, or to what the classifier would see."""
        return self.head(x, pre_logits=pre_logits)

    def forward(self, x: Tensor) -> Tensor:
        """Map images ``(B, in_chans, H, W)`` to logits ``(B, num_classes)``."""
        return self.forward_head(self.forward_features(x))

    def forward_intermediates(
        self,
        x: Tensor,
        indices: int | list[int] | None = None,
        norm: bool = False,
        stop_early: bool = False,
        output_fmt: str = "NCHW",
        intermediates_only: bool = False,
    ) -> list[Tensor] | tuple[Tensor, list[Tensor]]:
        """Return the maps of several stages.

        Args:
            x: images ``(B, in_chans, H, W)``.
            indices: the stages: the last n for a number n, those of a list, all for None.
            norm: no effect: the only norm of the last stage comes after the pooling, in the head.
            stop_early: compute no stage beyond the last one asked for.
            output_fmt: ``"NCHW"``.
            intermediates_only: leave out the last stage's maps.

        Returns:
            The last computed stage's maps and the list of those asked for, or the list alone.

        Raises:
            WavezooError: if ``output_fmt`` is another, if there are no such stages, or if the images are too small.
        """
        if output_fmt != "NCHW":
            raise not_allowed("output_fmt", output_fmt, ["NCHW"])
        wanted = stages_named(len(self.stages), indices)
        last = max(wanted)
        x = self._stem(x)
        intermediates = []
        for index, stage in enumerate(self.stages[: last + 1] if stop_early else self.stages):
            x = stage(x)
            if index in wanted:
                intermediates.append(x)
        return intermediates if intermediates_only else (x, intermediates)

    def prune_intermediate_layers(
        self, indices: int | list[int] = 1, prune_norm: bool = False, prune_head: bool = True
    ) -> list[int]:
        """Drop what the maps of ``indices`` do not need, and return the indices of the stages they name.

        Args:
            indices: as for `forward_intermediates`.
            prune_norm: no effect: the norm belongs to the head.
            prune_head: drop the head. It goes in any case if the last stage does.

        Raises:
            WavezooError: if there are no such stages.
        """
        wanted = stages_named(len(self.stages), indices)
        last = max(wanted)
        shortened = last < len(self.stages) - 1
        self.stages = self.stages[: last + 1]
        if shortened:
            self.num_features = self.head_hidden_size = self.feature_info[last]["num_chs"]
        if prune_head or shortened:
            self.num_classes = 0
            self.head.reset(0, "", reset_other=True, in_features=self.num_features)
        return wanted

    def reset_classifier(self, num_classes: int, global_pool: str | None = None) -> None:
        """Replace the classifier; ``global_pool=None`` keeps the pooling.

        Raises:
            WavezooError: if there is no such pooling, or if ``num_classes`` is no number of classes.
        """
        if global_pool is not None and global_pool not in GLOBAL_POOLS:
            raise not_allowed("global_pool", global_pool, GLOBAL_POOLS)
        self.num_classes = outputs(num_classes)
        self.head.reset(self.num_classes, global_pool)

    @torch.jit.ignore
    def set_grad_checkpointing(self, enable: bool = True) -> None:
        """Recompute each block in the backward pass instead of keeping its activations."""
        for stage in self.modules():
            if isinstance(stage, WaveStage):
                stage.grad_checkpointing = enable

    @torch.jit.ignore
    def group_matcher(self, coarse: bool = False) -> dict[str, Any]:
        """Return timm's patterns for the parameter groups of layer-wise learning-rate decay."""
        each_block = [(r"^stages\.(\d+)\.downsample", (0,)), (r"^stages\.(\d+)\.blocks\.(\d+)", None)]
        return {"stem": r"^stem", "blocks": r"^stages\.(\d+)" if coarse else each_block}

    def _stem(self, x: Tensor) -> Tensor:
        check_size(x.shape[-2:], self.smallest_size)
        # Channels are last in memory from here to the head, as convolutions, norms and matrix products have them.
        return with_channels_last(self.stem(with_channels_last(x)))


def _check_architecture(depths: Sequence[int], dims: Sequence[int], strides: Sequence[int], global_pool: str) -> None:
    require_choice("global_pool", global_pool, GLOBAL_POOLS)
    if not len(depths) == len(dims) == len(strides):
        raise WavezooError(
            f"depths {tuple(depths)}, dims {tuple(dims)} and strides {tuple(strides)} differ in length; "
            "give one number of each for every stage."
        )


ENTRIES = {
    name: ModelEntry(functools.partial(timm.create_model, name), "image", variant.description, WavePDE)
    for name, variant in IMAGE.items()
}
