"""Models from images to maps of the same size, for segmentation and for fields.

Shapes: B batch, C channels, H height, W width; channels first.
"""

from contextlib import nullcontext
from functools import partial
from typing import Any

import torch
from timm.models import checkpoint_seq
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint
from typing_extensions import Unpack

from wavezoo.config.scheme import SchemeChoice
from wavezoo.config.spec import OperatorChoices, mixer_spec
from wavezoo.errors import WavezooError, require_whole
from wavezoo.models.backbone import (
    MLP_RATIO,
    Backbone,
    check_operator_choices,
    check_placement,
    check_rates,
    drop_path_rates,
    outputs,
)
from wavezoo.models.block import wave_block
from wavezoo.models.entry import ModelEntry
from wavezoo.models.sizes import image_size
from wavezoo.models.variants import DENSE, Variant
from wavezoo.nn.norm import norm_layer
from wavezoo.wave.convolution import GridConv
from wavezoo.wave.layout import with_channels_last


class DenseHead(nn.Module):
    """Norm and a 1x1 convolution, then the pixels of each patch, ``(B, C, h, w) -> (B, outputs, h p, w p)``."""

    def __init__(self, dim: int, num_classes: int, patch_size: int, drop_rate: float, norm: str) -> None:
        super().__init__()
        self.patch_size = patch_size
        self.norm = norm_layer(norm, 2)(dim)
        self.drop = nn.Dropout(drop_rate)
        self.fc = self._convolution(num_classes)

    def reset(self, num_classes: int) -> None:
        """Replace the convolution."""
        weight = next(self.norm.parameters())
        self.fc = self._convolution(num_classes).to(weight.device, weight.dtype).train(self.training)

    def _convolution(self, num_classes: int) -> nn.Module:
        if num_classes == 0:
            return nn.Identity()
        return nn.Conv2d(len(next(self.norm.parameters())), num_classes * self.patch_size**2, 1)

    def forward(self, x: Tensor, pre_logits: bool = False) -> Tensor:
        """Map ``(B, C, h, w)`` to ``(B, outputs, h p, w p)``; with ``pre_logits``, to what the convolution sees."""
        x = self.drop(self.norm(x))
        if pre_logits or isinstance(self.fc, nn.Identity):
            return x
        return F.pixel_shuffle(self.fc(x), self.patch_size)


class WavePDEDense(Backbone):
    """A model of wave blocks on one grid, from images ``(B, in_chans, H, W)`` to maps ``(B, num_classes, H, W)``.

    Args:
        in_chans: number of image channels.
        num_classes: outputs of each pixel: classes, or the channels of a field; 0 for the features of each patch.
        img_size: accepted and not needed: any size works.
        depth: number of blocks.
        dim: number of channels C.
        patch_size: side of the square patches that become grid cells.
        mlp_ratio: hidden channels of the MLPs as a multiple of C; see `WavePDE`.
        matching: the rule for mixers of another kind; see `WavePDE`.
        local_taps: width of the depthwise convolution in front of every mixer; see `WavePDE`.
        recall: show every block the image again, by a convolution of it that is added to the block's input (Bansal et
            al. 2022): what the image says of a place, such as that there is a wall, is then known at every depth.
        norm: ``"layer"`` or ``"batch"``; see `WavePDE`.
        preset: ``"closed_form"``, ``"stepped"`` or ``"paper"``: the choice on every axis, and for the last the block.
        mixer: what mixes positions, by name or as a mapping with options; see `WavePDE`.
        grid_spacing: distance of two pixels in units of that in training; see `set_grid_spacing`.
        drop_rate: dropout before the last convolution.
        drop_path_rate: stochastic depth at the last block, growing linearly from 0 at the first.
        device: where to build the parameters.
        dtype: their dtype.
        **operator: schemes and options of the wave operator in place of the preset's; see `WavePDE`.

    Raises:
        WavezooError: naming the option that cannot work, what is allowed and what to do.
        TypeError: for an unknown keyword.
    """

    head: DenseHead

    def __init__(
        self,
        in_chans: int = 3,
        num_classes: int = 2,
        img_size: int | tuple[int, int] | None = None,
        *,
        depth: int = 4,
        dim: int = 64,
        patch_size: int = 1,
        mlp_ratio: float = MLP_RATIO,
        matching: str = "parameters",
        local_taps: int | None = None,
        recall: bool = False,
        norm: str = "layer",
        preset: str = "closed_form",
        mixer: SchemeChoice = "wave",
        grid_spacing: float = 1.0,
        drop_rate: float = 0.0,
        drop_path_rate: float = 0.0,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
        **operator: Unpack[OperatorChoices],
    ) -> None:
        super().__init__()
        check_operator_choices(type(self), operator)
        check_rates(mlp_ratio, drop_rate=drop_rate, drop_path_rate=drop_path_rate)
        check_placement(device, dtype)
        depth, dim = require_whole("depth", depth), require_whole("dim", dim)
        patch_size = require_whole("patch_size", patch_size)
        if img_size is not None:
            image_size(img_size)
        spec = mixer_spec(mixer, preset, **operator)
        self.num_classes = outputs(num_classes)
        self.in_chans = require_whole("in_chans", in_chans)
        self.num_features = self.head_hidden_size = dim
        self.grad_checkpointing = False
        rules: dict[str, Any] = {"mlp_ratio": mlp_ratio, "matching": matching, "local_taps": local_taps}
        block = partial(wave_block, dim, 2, spec, norm=norm, **rules)
        with torch.device(device) if device is not None else nullcontext():
            self.stem = GridConv(self.in_chans, dim, 2, max(2 * patch_size - 1, 3), patch_size)
            seen = partial(GridConv, self.in_chans, dim, 2, 2 * patch_size - 1, patch_size)
            self.recall = nn.ModuleList([seen() for _ in range(depth)]) if recall else None
            self.blocks = nn.Sequential(*[block(drop_path=rate) for rate in drop_path_rates(drop_path_rate, depth)])
            self.head = DenseHead(dim, self.num_classes, patch_size, drop_rate, norm)
        if dtype is not None:
            self.to(dtype)
        self.set_grid_spacing(grid_spacing)

    def forward_features(self, x: Tensor) -> Tensor:
        """Map images ``(B, in_chans, H, W)`` to features of each patch, ``(B, C, ceil(H / p), ceil(W / p))``.

        Raises:
            WavezooError: if ``x`` has another number of axes or channels, or no pixel.
        """
        if x.ndim != 4 or x.shape[1] != self.in_chans or 0 in x.shape[2:]:
            raise WavezooError(
                f"input of shape {tuple(x.shape)} does not fit a model for images (B, {self.in_chans}, H, W)."
            )
        image = with_channels_last(x)
        x = with_channels_last(self.stem(image))
        if self.recall is None:
            return checkpoint_seq(self.blocks, x) if self.grad_checkpointing else self.blocks(x)
        for block, seen in zip(self.blocks, self.recall, strict=True):
            x = x + seen(image)
            x = checkpoint(block, x, use_reentrant=False) if self.grad_checkpointing else block(x)
        return x

    def forward_head(self, x: Tensor, pre_logits: bool = False) -> Tensor:
        """Map features to maps of whole patches, ``(B, num_classes, h p, w p)``, or to what the convolution sees."""
        return self.head(x, pre_logits)

    def forward(self, x: Tensor) -> Tensor:
        """Map images ``(B, in_chans, H, W)`` to maps ``(B, num_classes, H, W)``."""
        return self.forward_head(self.forward_features(x))[..., : x.shape[2], : x.shape[3]]

    def reset_classifier(self, num_classes: int) -> None:
        """Replace the last convolution.

        Raises:
            WavezooError: if ``num_classes`` is no number of outputs.
        """
        self.num_classes = outputs(num_classes)
        self.head.reset(self.num_classes)

    @torch.jit.ignore
    def set_grad_checkpointing(self, enable: bool = True) -> None:
        """Recompute each block in the backward pass instead of keeping its activations."""
        self.grad_checkpointing = enable

    @torch.jit.ignore
    def group_matcher(self, coarse: bool = False) -> dict[str, Any]:
        """Return timm's patterns for the parameter groups of layer-wise learning-rate decay."""
        return {"stem": r"^stem", "blocks": [(r"^blocks\.(\d+)", None)]}


def _entry(variant: Variant) -> ModelEntry:
    def build(**kwargs: Any) -> WavePDEDense:
        return WavePDEDense(**{**variant.settings, **kwargs})

    return ModelEntry(build, "dense", variant.description, WavePDEDense)


ENTRIES = {name: _entry(variant) for name, variant in DENSE.items()}
