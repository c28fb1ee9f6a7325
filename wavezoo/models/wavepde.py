"""Wave-PDE vision backbones, registered with timm.

After Wave-PDE Nets (Vejendla 2025): transformer-like blocks in which a simulated wave takes the place of attention.
The plain names use a block that measures better, the ``_paper`` names the block and the numerics as published; the
README says where they differ.
"""

from collections.abc import Sequence
from contextlib import nullcontext
from typing import Any, cast

import torch
from timm.layers import LayerNorm2d, NormMlpClassifierHead, calculate_drop_path_rates
from timm.models import build_model_with_cfg, checkpoint_seq, generate_default_cfgs, register_model
from torch import Tensor, nn

from wavezoo.build import PRESETS, SchemeSpec
from wavezoo.errors import WavezooError, not_allowed, require_positive
from wavezoo.models.block import WaveBlock
from wavezoo.operator import WaveOperator

__all__ = ["WavePDE"]

IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
GLOBAL_POOLS = ("avg", "max", "avgmax", "catavgmax", "fast", "fastavg", "fastmax", "fastavgmax", "fastcatavgmax", "")


class WaveStage(nn.Module):
    """An optional downsampling convolution and a run of wave blocks, ``(B, C, H, W) -> (B, C', H / s, W / s)``."""

    def __init__(self, in_dim: int, dim: int, stride: int, drop_paths: Sequence[float], **block: Any) -> None:
        super().__init__()
        self.downsample: nn.Module = nn.Identity()
        if stride > 1 or in_dim != dim:
            self.downsample = nn.Sequential(
                LayerNorm2d(in_dim), nn.Conv2d(in_dim, dim, 2 * stride - 1, stride, padding=stride - 1)
            )
        self.blocks = nn.Sequential(*[WaveBlock(dim, 2, drop_path=rate, **block) for rate in drop_paths])
        self.grad_checkpointing = False

    def forward(self, x: Tensor) -> Tensor:
        x = self.downsample(x)
        if self.grad_checkpointing and not torch.jit.is_scripting():
            return checkpoint_seq(self.blocks, x)
        return self.blocks(x)


class WavePDE(nn.Module):
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
        mlp_ratio: hidden channels of the MLPs as a multiple of their width; with the mixer's three 1x1 convolutions,
            2.5 gives a block the parameters of ConvNeXt's.
        preset: ``"default"`` or ``"paper"``: the choice on every axis, and the block around the operator.
        laplacian: scheme in place of the preset's, by name or as a mapping with options; likewise ``integrator``,
            ``speed``, ``damping_field``, ``damping``, ``source`` and ``flow``.
        steps: number of time steps in place of the preset's; likewise the other options of `wavezoo.WaveOperator`,
            ``dt``, ``dt_per_channel``, ``initial_velocity``, ``readout``, ``courant_guard``, ``gradient`` and
            ``causal``.
        drop_rate: dropout before the classifier.
        drop_path_rate: stochastic depth at the last block, growing linearly from 0 at the first.
        device: where to build the parameters.
        dtype: their dtype.

    Raises:
        WavezooError: naming the option that cannot work, what is allowed and what to do.
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
        mlp_ratio: float = 2.5,
        preset: str = "default",
        laplacian: SchemeSpec | None = None,
        integrator: SchemeSpec | None = None,
        speed: SchemeSpec | None = None,
        damping_field: SchemeSpec | None = None,
        damping: SchemeSpec | None = None,
        source: SchemeSpec | None = None,
        flow: SchemeSpec | None = None,
        steps: int | None = None,
        dt: float | None = None,
        dt_per_channel: bool | None = None,
        initial_velocity: str | None = None,
        readout: str | None = None,
        courant_guard: str | None = None,
        gradient: str | None = None,
        causal: bool | None = None,
        drop_rate: float = 0.0,
        drop_path_rate: float = 0.0,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        choices = {
            "laplacian": laplacian,
            "integrator": integrator,
            "speed": speed,
            "damping_field": damping_field,
            "damping": damping,
            "source": source,
            "flow": flow,
            "steps": steps,
            "dt": dt,
            "dt_per_channel": dt_per_channel,
            "initial_velocity": initial_velocity,
            "readout": readout,
            "courant_guard": courant_guard,
            "gradient": gradient,
            "causal": causal,
        }
        operator = {"preset": preset} | {name: value for name, value in choices.items() if value is not None}
        _check_architecture(depths, dims, strides, patch_size, preset, global_pool)
        require_positive("mlp_ratio", mlp_ratio)
        for what, rate in (("drop_rate", drop_rate), ("drop_path_rate", drop_path_rate)):
            if not 0 <= rate < 1:
                raise WavezooError(f"{what} is {rate!r}; give a rate from 0 to less than 1.")
        self.num_classes = num_classes
        self.in_chans = in_chans
        self.num_features = self.head_hidden_size = dims[-1]
        self.drop_rate = drop_rate
        self.feature_info: list[dict[str, Any]] = []
        self.smallest_size = patch_size
        for stride in strides:
            self.smallest_size *= stride
        if img_size is not None:
            self._check_size(*((img_size, img_size) if isinstance(img_size, int) else img_size))

        rates: Any = calculate_drop_path_rates(drop_path_rate, list(depths), stagewise=True)
        with torch.device(device) if device is not None else nullcontext():
            # Overlapping windows: odd sizes lose no edge, and one-pixel patches still see their neighbours.
            kernel = max(2 * patch_size - 1, 3)
            self.stem = nn.Conv2d(in_chans, dims[0], kernel, patch_size, padding=kernel // 2)
            stages = []
            reduction = patch_size
            for index, (dim, stride) in enumerate(zip(dims, strides, strict=True)):
                reduction *= stride
                in_dim = dims[max(index - 1, 0)]
                block = {"operator": operator, "plain": preset == "paper", "mlp_ratio": mlp_ratio}
                stages.append(WaveStage(in_dim, dim, stride, rates[index], **block))
                self.feature_info.append({"num_chs": dim, "reduction": reduction, "module": f"stages.{index}"})
            self.stages = nn.Sequential(*stages)
            self.head = NormMlpClassifierHead(dims[-1], num_classes, pool_type=global_pool, drop_rate=drop_rate)
        self.to(dtype=dtype)

    def forward_features(self, x: Tensor) -> Tensor:
        """Map images to the last stage's maps, ``(B, num_features, H / reduction, W / reduction)``.

        Raises:
            WavezooError: if the images are too small for the stages.
        """
        self._check_size(*x.shape[-2:])
        return self.stages(self.stem(x))

    def forward_head(self, x: Tensor, pre_logits: bool = False) -> Tensor:
        """Map the last stage's maps to logits ``(B, num_classes)``, or to what the classifier would see."""
        return self.head(x, pre_logits=pre_logits)

    def forward(self, x: Tensor) -> Tensor:
        """Map images ``(B, in_chans, H, W)`` to logits ``(B, num_classes)``."""
        return self.forward_head(self.forward_features(x))

    def get_classifier(self) -> nn.Module:
        """Return the classifier."""
        return self.head.fc

    def reset_classifier(self, num_classes: int, global_pool: str | None = None) -> None:
        """Replace the classifier; ``global_pool=None`` keeps the pooling."""
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

    @torch.jit.ignore
    def no_weight_decay(self) -> set[str]:
        """Return the names of the physical parameters: time steps and those of the schemes."""
        return {
            f"{prefix}.{name}"
            for prefix, module in self.named_modules()
            if isinstance(module, WaveOperator)
            for name, _ in module.named_parameters()
            if name.partition(".")[0] in ("log_dt", "speed", "damping_field", "laplacian", "source", "flow")
        }

    def _check_size(self, height: int, width: int) -> None:
        if min(height, width) < self.smallest_size:
            raise WavezooError(
                f"images of {height} x {width} pixels are too small: this model reduces them by {self.smallest_size}. "
                "Give larger images, a smaller patch_size, or a wavepde_iso model."
            )


def _check_architecture(
    depths: Sequence[int], dims: Sequence[int], strides: Sequence[int], patch_size: int, preset: str, global_pool: str
) -> None:
    if preset not in PRESETS:
        raise not_allowed("preset", preset, PRESETS)
    if global_pool not in GLOBAL_POOLS:
        raise not_allowed("global_pool", global_pool, GLOBAL_POOLS)
    if not len(depths) == len(dims) == len(strides):
        raise WavezooError(
            f"depths {tuple(depths)}, dims {tuple(dims)} and strides {tuple(strides)} differ in length; "
            "give one number of each for every stage."
        )
    for what, values in (("depths", depths), ("dims", dims), ("strides", strides), ("patch_size", [patch_size])):
        if any(not isinstance(value, int) or value < 1 for value in values):
            raise WavezooError(f"{what} is {values!r}; give whole numbers, at least 1.")


VARIANTS: dict[str, dict[str, Any]] = {
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
        "first_conv": "stem",
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
