"""Wave-PDE vision backbones, registered with timm.

After Wave-PDE Nets (Vejendla 2025): transformer-like blocks in which a simulated wave takes the place of attention.
The plain names use a block that measures better, the ``_paper`` names the block and the numerics as published; the
README says where they differ.
"""

from collections.abc import Sequence
from contextlib import nullcontext
from typing import Any, cast

import torch
from timm.layers import NormMlpClassifierHead, calculate_drop_path_rates
from timm.models import (
    build_model_with_cfg,
    checkpoint_seq,
    generate_default_cfgs,
    register_model,
    register_notrace_function,
)
from timm.models._features import feature_take_indices
from torch import Tensor, nn

from wavezoo.config.spec import SchemeSpec
from wavezoo.errors import WavezooError, not_allowed
from wavezoo.models.backbone import MLP_RATIO, Backbone, check_operator_choices, check_settings
from wavezoo.models.block import Block
from wavezoo.nn.norm import norm_layer
from wavezoo.wave.convolution import GridConv

__all__ = ["WavePDE"]

IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
# Those of timm's that keep the width.
GLOBAL_POOLS = ("avg", "max", "avgmax", "fast", "fastavg", "fastmax", "fastavgmax", "")


class WaveStage(nn.Module):
    """An optional downsampling convolution and a run of wave blocks, ``(B, C, H, W) -> (B, C', H / s, W / s)``."""

    def __init__(
        self, in_dim: int, dim: int, stride: int, drop_paths: Sequence[float], norm: str, **block: Any
    ) -> None:
        super().__init__()
        self.downsample: nn.Module = nn.Identity()
        if stride > 1 or in_dim != dim:
            self.downsample = nn.Sequential(
                norm_layer(norm, 2)(in_dim), GridConv(in_dim, dim, 2, 2 * stride - 1, stride)
            )
        self.blocks = nn.Sequential(*[Block(dim, 2, norm=norm, drop_path=rate, **block) for rate in drop_paths])
        self.grad_checkpointing = False

    def forward(self, x: Tensor) -> Tensor:
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
        mlp_ratio: hidden channels of the MLPs as a multiple of their width, in a block with the preset's wave operator;
            with another mixer as many as make the block as large.
        norm: ``"layer"``, over the channels of each position, or ``"batch"``, of each channel over batch and positions,
            which suits images that are alike on the average, such as Pathfinder's.
        preset: ``"closed_form"``, ``"stepped"`` or ``"paper"``: the choice on every axis, and for the last the block.
        mixer: what mixes positions, by name or as a mapping with options: ``"wave"``, or ``"attention"``,
            ``"depthwise"``, ``"global_filter"``, ``"pooling"``, ``"none"`` for comparison.
        grid_spacing: distance of two pixels in units of that in training; see `set_grid_spacing`.
        drop_rate: dropout before the classifier.
        drop_path_rate: stochastic depth at the last block, growing linearly from 0 at the first.
        device: where to build the parameters.
        dtype: their dtype.
        **operator: in place of the preset's: the schemes ``laplacian``, ``integrator``, ``speed``, ``damping_field``,
            ``damping``, ``potential`` and ``drift``, by name or as a mapping with options, and the options of
            `wavezoo.WaveOperator`: ``steps``, ``dt``, ``dt_per_channel``, ``dt_spread``, ``initial_velocity``,
            ``readout``, ``courant_guard``, ``gradient`` and ``causal``.

    Raises:
        WavezooError: naming the option that cannot work, what is allowed and what to do.
        TypeError: for an unknown keyword.
    """

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
        norm: str = "layer",
        preset: str = "closed_form",
        mixer: SchemeSpec = "wave",
        grid_spacing: float = 1.0,
        drop_rate: float = 0.0,
        drop_path_rate: float = 0.0,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
        **operator: Any,
    ) -> None:
        super().__init__()
        check_operator_choices(type(self), operator)
        counts: dict[str, Any] = {"depths": depths, "dims": dims, "strides": strides, "patch_size": patch_size}
        check_settings(preset, mlp_ratio, drop_rate, drop_path_rate, **counts)
        _check_architecture(depths, dims, strides, global_pool)
        causal = operator.pop("causal", False)
        self.num_classes = num_classes
        self.in_chans = in_chans
        self.num_features = self.head_hidden_size = dims[-1]
        self.drop_rate = drop_rate
        self.feature_info: list[dict[str, Any]] = []
        self.smallest_size = patch_size
        for stride in strides:
            self.smallest_size *= stride
        if img_size is not None:
            check_size((img_size, img_size) if isinstance(img_size, int) else img_size, self.smallest_size)

        rates: Any = calculate_drop_path_rates(drop_path_rate, list(depths), stagewise=True)
        with torch.device(device) if device is not None else nullcontext():
            # Overlapping windows: odd sizes lose no edge, and one-pixel patches still see their neighbours.
            kernel = max(2 * patch_size - 1, 3)
            self.stem = GridConv(in_chans, dims[0], 2, kernel, patch_size)
            stages = []
            reduction = patch_size
            for index, (dim, stride) in enumerate(zip(dims, strides, strict=True)):
                reduction *= stride
                in_dim = dims[max(index - 1, 0)]
                block = {
                    "mixer": mixer,
                    "operator": {"preset": preset, **operator},
                    "causal": causal,
                    "plain": preset == "paper",
                    "mlp_ratio": mlp_ratio,
                }
                stages.append(WaveStage(in_dim, dim, stride, rates[index], norm, **block))
                self.feature_info.append({"num_chs": dim, "reduction": reduction, "module": f"stages.{index}"})
            self.stages = nn.Sequential(*stages)
            self.head = NormMlpClassifierHead(
                dims[-1], num_classes, pool_type=global_pool, drop_rate=drop_rate, norm_layer=norm_layer(norm, 2)
            )
        self.to(dtype=dtype)
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
            WavezooError: if ``output_fmt`` is another, or if the images are too small.
        """
        if output_fmt != "NCHW":
            raise not_allowed("output_fmt", output_fmt, ["NCHW"])
        wanted, last = feature_take_indices(len(self.stages), indices)
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
        """
        wanted, last = feature_take_indices(len(self.stages), indices)
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
            WavezooError: if there is no such pooling.
        """
        if global_pool is not None and global_pool not in GLOBAL_POOLS:
            raise not_allowed("global_pool", global_pool, GLOBAL_POOLS)
        self.num_classes = num_classes
        self.head.reset(num_classes, global_pool)

    @torch.jit.ignore
    def set_grad_checkpointing(self, enable: bool = True) -> None:
        """Recompute each block in the backward pass instead of keeping its activations."""
        for stage in self.stages:
            cast(WaveStage, stage).grad_checkpointing = enable

    @torch.jit.ignore
    def group_matcher(self, coarse: bool = False) -> dict[str, Any]:
        """Return timm's patterns for the parameter groups of layer-wise learning-rate decay."""
        each_block = [(r"^stages\.(\d+)\.downsample", (0,)), (r"^stages\.(\d+)\.blocks\.(\d+)", None)]
        return {"stem": r"^stem", "blocks": r"^stages\.(\d+)" if coarse else each_block}

    def _stem(self, x: Tensor) -> Tensor:
        check_size(x.shape[-2:], self.smallest_size)
        return self.stem(x)


@register_notrace_function
def check_size(size: Sequence[int], smallest: int) -> None:
    """Raise WavezooError if images of ``size`` are smaller than ``smallest``."""
    height, width = size
    if min(height, width) < smallest:
        raise WavezooError(
            f"images of {height} x {width} pixels are too small: this model reduces them by {smallest}. "
            "Give larger images, a smaller patch_size, or a wavepde_iso model."
        )


def _check_architecture(depths: Sequence[int], dims: Sequence[int], strides: Sequence[int], global_pool: str) -> None:
    if global_pool not in GLOBAL_POOLS:
        raise not_allowed("global_pool", global_pool, GLOBAL_POOLS)
    if not len(depths) == len(dims) == len(strides):
        raise WavezooError(
            f"depths {tuple(depths)}, dims {tuple(dims)} and strides {tuple(strides)} differ in length; "
            "give one number of each for every stage."
        )


VARIANTS: dict[str, dict[str, Any]] = {
    "wavepde_pico": {"depths": (2, 2, 10, 2), "dims": (32, 64, 128, 256)},
    "wavepde_nano": {"depths": (2, 2, 8, 2), "dims": (56, 112, 224, 448)},
    "wavepde_tiny": {"depths": (3, 3, 9, 3), "dims": (96, 192, 384, 768)},
    "wavepde_small": {"depths": (3, 3, 27, 3), "dims": (96, 192, 384, 768)},
    "wavepde_base": {"depths": (3, 3, 27, 3), "dims": (128, 256, 512, 1024)},
    "wavepde_iso_tiny": {"depths": (1, 1, 1, 1), "dims": (64,) * 4, "strides": (1,) * 4, "patch_size": 2},
    "wavepde_iso_small": {"depths": (2, 2, 2, 2), "dims": (128,) * 4, "strides": (1,) * 4, "patch_size": 2},
}


def _default_cfg(variant: str) -> dict[str, Any]:
    small = "_iso_" in variant
    size = 32 if small else 224
    return {
        "url": "",
        "input_size": (3, size, size),
        "pool_size": (16, 16) if small else (7, 7),
        "crop_pct": 1.0 if small else 0.875,
        "interpolation": "bicubic",
        "mean": IMAGENET_MEAN,
        "std": IMAGENET_STD,
        "num_classes": 1000,
        "first_conv": "stem.conv",
        "classifier": "head.fc",
        "license": "apache-2.0",
    }


default_cfgs = generate_default_cfgs(
    {f"{variant}{suffix}": _default_cfg(variant) for variant in VARIANTS for suffix in ("", "_paper")}
)


def _create(variant: str, pretrained: bool, **kwargs: Any) -> WavePDE:
    published = {"preset": "paper", "mlp_ratio": 4.0} if variant.endswith("_paper") else {}
    settings = {**VARIANTS[variant.removesuffix("_paper")], **published, **kwargs}
    if (img_size := settings.get("img_size")) is not None:
        height, width = (img_size, img_size) if isinstance(img_size, int) else img_size
        # So that timm's data configuration follows the size that the model was made for.
        overlay = settings.get("pretrained_cfg_overlay") or {}
        settings["pretrained_cfg_overlay"] = {"input_size": (settings.get("in_chans", 3), height, width), **overlay}
    return build_model_with_cfg(
        WavePDE,
        variant,
        pretrained,
        feature_cfg={"out_indices": (0, 1, 2, 3), "flatten_sequential": True},
        **settings,
    )


@register_model
def wavepde_pico(pretrained: bool = False, **kwargs: Any) -> WavePDE:
    """Wave-PDE for small machines: blocks (2, 2, 10, 2), widths 32 to 256."""
    return _create("wavepde_pico", pretrained, **kwargs)


@register_model
def wavepde_pico_paper(pretrained: bool = False, **kwargs: Any) -> WavePDE:
    """As ``wavepde_pico``, with block and numerics as published."""
    return _create("wavepde_pico_paper", pretrained, **kwargs)


@register_model
def wavepde_nano(pretrained: bool = False, **kwargs: Any) -> WavePDE:
    """Wave-PDE for small machines: blocks (2, 2, 8, 2), widths 56 to 448."""
    return _create("wavepde_nano", pretrained, **kwargs)


@register_model
def wavepde_nano_paper(pretrained: bool = False, **kwargs: Any) -> WavePDE:
    """As ``wavepde_nano``, with block and numerics as published."""
    return _create("wavepde_nano_paper", pretrained, **kwargs)


@register_model
def wavepde_tiny(pretrained: bool = False, **kwargs: Any) -> WavePDE:
    """Wave-PDE, the stage plan of ConvNeXt-T: blocks (3, 3, 9, 3), widths 96 to 768."""
    return _create("wavepde_tiny", pretrained, **kwargs)


@register_model
def wavepde_tiny_paper(pretrained: bool = False, **kwargs: Any) -> WavePDE:
    """As ``wavepde_tiny``, with block and numerics as published."""
    return _create("wavepde_tiny_paper", pretrained, **kwargs)


@register_model
def wavepde_small(pretrained: bool = False, **kwargs: Any) -> WavePDE:
    """Wave-PDE, the stage plan of ConvNeXt-S: blocks (3, 3, 27, 3), widths 96 to 768."""
    return _create("wavepde_small", pretrained, **kwargs)


@register_model
def wavepde_small_paper(pretrained: bool = False, **kwargs: Any) -> WavePDE:
    """As ``wavepde_small``, with block and numerics as published."""
    return _create("wavepde_small_paper", pretrained, **kwargs)


@register_model
def wavepde_base(pretrained: bool = False, **kwargs: Any) -> WavePDE:
    """Wave-PDE, the stage plan of ConvNeXt-B: blocks (3, 3, 27, 3), widths 128 to 1024."""
    return _create("wavepde_base", pretrained, **kwargs)


@register_model
def wavepde_base_paper(pretrained: bool = False, **kwargs: Any) -> WavePDE:
    """As ``wavepde_base``, with block and numerics as published."""
    return _create("wavepde_base_paper", pretrained, **kwargs)


@register_model
def wavepde_iso_tiny(pretrained: bool = False, **kwargs: Any) -> WavePDE:
    """Wave-PDE, one grid throughout, for small images: 4 blocks of width 64 on patches of 2 x 2."""
    return _create("wavepde_iso_tiny", pretrained, **kwargs)


@register_model
def wavepde_iso_tiny_paper(pretrained: bool = False, **kwargs: Any) -> WavePDE:
    """As ``wavepde_iso_tiny``, with block and numerics as published."""
    return _create("wavepde_iso_tiny_paper", pretrained, **kwargs)


@register_model
def wavepde_iso_small(pretrained: bool = False, **kwargs: Any) -> WavePDE:
    """Wave-PDE, one grid throughout, for small images: 8 blocks of width 128 on patches of 2 x 2."""
    return _create("wavepde_iso_small", pretrained, **kwargs)


@register_model
def wavepde_iso_small_paper(pretrained: bool = False, **kwargs: Any) -> WavePDE:
    """As ``wavepde_iso_small``, with block and numerics as published."""
    return _create("wavepde_iso_small_paper", pretrained, **kwargs)
