"""Wave-PDE backbones on sequences: the block of the vision models on one grid axis.

Shapes: B batch, N length, C channels. Sequences are ``(B, N, features)`` or token ids ``(B, N)``, as in most sequence
models; inside, channels come first.
"""

from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import torch
from timm.layers import calculate_drop_path_rates
from timm.models import checkpoint_seq
from torch import Tensor, nn

from wavezoo.config.spec import SchemeSpec
from wavezoo.errors import WavezooError, not_allowed
from wavezoo.models.backbone import MLP_RATIO, Backbone, check_operator_choices, check_settings
from wavezoo.models.block import Block
from wavezoo.nn.norm import norm_layer

SEQUENCE_POOLS = ("mean", "first", "last", "")


class SequenceHead(nn.Module):
    """Norm, pooling over the positions and a classifier, ``(B, N, C) -> (B, num_classes)``, or a token each."""

    def __init__(self, dim: int, num_classes: int, global_pool: str, drop_rate: float, norm: str) -> None:
        super().__init__()
        self.global_pool = global_pool
        self.norm = norm_layer(norm, 1)(dim)
        self.drop = nn.Dropout(drop_rate)
        self.fc = _classifier(dim, num_classes)

    def reset(self, num_classes: int, global_pool: str | None) -> None:
        """Replace the classifier, and the pooling unless it is None."""
        weight = next(self.norm.parameters())
        self.fc = _classifier(len(weight), num_classes).to(weight.device, weight.dtype).train(self.training)
        self.global_pool = self.global_pool if global_pool is None else global_pool

    def forward(self, x: Tensor, mask: Tensor | None = None, pre_logits: bool = False) -> Tensor:
        x = self.drop(_pooled(self.norm(x.mT).mT, mask, self.global_pool))
        return x if pre_logits else self.fc(x)


class WavePDESequence(Backbone):
    """A sequence classifier, tagger or encoder of wave blocks.

    Every position sees every other, in both directions, unless ``causal``. Padding changes no result, whatever the
    mixer: given a ``mask``, sequences are cut to their own length, and those of equal length run together. So a
    periodic Laplacian closes its ring at the sequence's own last element.

    Args:
        in_features: features of each element of sequences ``(B, N, in_features)``; or
        vocab_size: number of tokens, for token ids ``(B, N)`` from 0 to ``vocab_size - 1``.
        num_classes: number of classes; 0 for no classifier.
        global_pool: what the classifier sees: ``"mean"`` of all elements that are not padding, the ``"first"``, the
            ``"last"``, or ``""`` for every element by itself.
        max_length: the greatest length, which gives each position a learned embedding; None for any length and no
            embedding: then the mixer and the depthwise convolution before it tell positions apart.
        depth: number of blocks.
        dim: number of channels C.
        mlp_ratio: hidden channels of the MLPs as a multiple of C, in a block with the preset's wave operator; with
            another mixer as many as make the block as large.
        norm: ``"layer"`` or ``"batch"``; see `WavePDE`. The latter cannot be trained with a mask: its statistics would
            depend on which sequences are of equal length.
        preset: ``"closed_form"``, ``"stepped"`` or ``"paper"``: the choice on every axis, and for the last the block.
        mixer: what mixes positions, by name or as a mapping with options; see `WavePDE`.
        causal: let no output depend on later inputs; refused where the mixer cannot.
        grid_spacing: distance of two elements in units of that in training; see `set_grid_spacing`.
        drop_rate: dropout before the classifier.
        drop_path_rate: stochastic depth at the last block, growing linearly from 0 at the first.
        device: where to build the parameters.
        dtype: their dtype.
        **operator: schemes and options of the wave operator in place of the preset's; see `WavePDE`.

    Raises:
        WavezooError: naming the option that cannot work, what is allowed and what to do.
        TypeError: for an unknown keyword.
    """

    def __init__(
        self,
        in_features: int | None = None,
        vocab_size: int | None = None,
        num_classes: int = 0,
        global_pool: str = "mean",
        max_length: int | None = None,
        *,
        depth: int = 4,
        dim: int = 64,
        mlp_ratio: float = MLP_RATIO,
        norm: str = "layer",
        preset: str = "closed_form",
        mixer: SchemeSpec = "wave",
        causal: bool = False,
        grid_spacing: float = 1.0,
        drop_rate: float = 0.0,
        drop_path_rate: float = 0.0,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
        **operator: Any,
    ) -> None:
        super().__init__()
        check_operator_choices(type(self), operator)
        if (in_features is None) == (vocab_size is None):
            raise WavezooError(
                f"in_features is {in_features!r} and vocab_size is {vocab_size!r}; give in_features for sequences of "
                "numbers, (B, N, in_features), or vocab_size for token ids, (B, N), and leave the other out."
            )
        counts = {"in_features": in_features, "vocab_size": vocab_size, "max_length": max_length}
        given = {name: count for name, count in counts.items() if count is not None}
        check_settings(preset, mlp_ratio, drop_rate, drop_path_rate, depth=depth, dim=dim, **given)
        _check_pool(global_pool)
        self.in_features = in_features
        self.vocab_size = vocab_size
        self.num_classes = num_classes
        self.max_length = max_length
        self.causal = causal
        self.num_features = self.head_hidden_size = dim
        self.grad_checkpointing = False
        rates: Any = calculate_drop_path_rates(drop_path_rate, depth)
        with torch.device(device) if device is not None else nullcontext():
            self.stem: nn.Linear | nn.Embedding
            if vocab_size is not None:
                self.stem = nn.Embedding(vocab_size, dim)
            else:
                self.stem = nn.Linear(given["in_features"], dim)
            self.position = None if max_length is None else nn.Embedding(max_length, dim)
            self.blocks = nn.Sequential(
                *[
                    Block(
                        dim,
                        1,
                        mixer,
                        {"preset": preset, **operator},
                        causal=causal,
                        plain=preset == "paper",
                        mlp_ratio=mlp_ratio,
                        norm=norm,
                        drop_path=rate,
                    )
                    for rate in rates
                ]
            )
            self.head = SequenceHead(dim, num_classes, global_pool, drop_rate, norm)
        self.to(dtype=dtype)
        self.set_grid_spacing(grid_spacing)

    @property
    def global_pool(self) -> str:
        """What the classifier sees."""
        return self.head.global_pool

    def forward_features(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """Map sequences to features ``(B, N, C)``, zero at padding.

        Args:
            x: numbers ``(B, N, in_features)`` or token ids ``(B, N)``; what stands at padding does not matter.
            mask: ``(B, N)``, True at the elements, False at padding, which may stand before or after them. Its values
                are read back from the device, which breaks a compiled graph.

        Raises:
            WavezooError: if shape, dtype, token ids, length or mask cannot be, or in training with batch norm and
                sequences of several lengths.
        """
        self._check_input(x)
        spans = None if mask is None else _spans(mask, x)
        if mask is None or spans is None or all(span == (0, x.shape[1]) for span in spans):
            self._check_tokens(x)
            return self._encoded(x)
        if self.training and isinstance(self.head.norm, nn.BatchNorm1d):
            raise WavezooError(
                'norm="batch" cannot be trained on sequences of several lengths: its statistics would depend on which '
                'are of equal length. Build the model with norm="layer".'
            )
        self._check_tokens(x[mask.to(x.device)])
        by_length: dict[int, list[int]] = {}
        for sample, (start, stop) in enumerate(spans):
            by_length.setdefault(stop - start, []).append(sample)
        elements, places = [], []
        for samples in by_length.values():
            cut = torch.stack([x[sample, slice(*spans[sample])] for sample in samples])
            elements.append(self._encoded(cut).flatten(0, 1))
            places += [torch.arange(*spans[sample]) + sample * x.shape[1] for sample in samples]
        encoded = torch.cat(elements)
        features = encoded.new_zeros(mask.numel(), self.num_features)
        return features.index_copy(0, torch.cat(places).to(x.device), encoded).view(*mask.shape, self.num_features)

    def forward_head(self, x: Tensor, mask: Tensor | None = None, pre_logits: bool = False) -> Tensor:
        """Map features to logits ``(B, num_classes)``, ``(B, N, num_classes)`` without pooling, or to what the
        classifier would see.
        """
        return self.head(x, mask, pre_logits)

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """Map sequences to logits; see `forward_features` and `forward_head`."""
        return self.forward_head(self.forward_features(x, mask), mask)

    def reset_classifier(self, num_classes: int, global_pool: str | None = None) -> None:
        """Replace the classifier; ``global_pool=None`` keeps the pooling.

        Raises:
            WavezooError: if there is no such pooling.
        """
        if global_pool is not None:
            _check_pool(global_pool)
        self.num_classes = num_classes
        self.head.reset(num_classes, global_pool)

    @torch.jit.ignore
    def set_grad_checkpointing(self, enable: bool = True) -> None:
        """Recompute each block in the backward pass instead of keeping its activations."""
        self.grad_checkpointing = enable

    @torch.jit.ignore
    def group_matcher(self, coarse: bool = False) -> dict[str, Any]:
        """Return timm's patterns for the parameter groups of layer-wise learning-rate decay."""
        return {"stem": r"^stem|^position", "blocks": [(r"^blocks\.(\d+)", None)]}

    def _encoded(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        if self.position is not None:
            x = x + self.position(torch.arange(x.shape[1], device=x.device))
        x = x.mT
        x = checkpoint_seq(self.blocks, x) if self.grad_checkpointing else self.blocks(x)
        return x.mT

    def _check_input(self, x: Tensor) -> None:
        tokens = self.vocab_size is not None
        wanted = "token ids (B, N)" if tokens else f"numbers (B, N, {self.in_features})"
        if x.ndim != (2 if tokens else 3) or not (tokens or x.shape[2] == self.in_features):
            raise WavezooError(f"input of shape {tuple(x.shape)} does not fit a model for {wanted}.")
        if tokens == x.is_floating_point():
            raise WavezooError(f"input of {x.dtype} does not fit a model for {wanted}.")
        if x.shape[1] == 0:
            raise WavezooError(f"input of shape {tuple(x.shape)} has no element; give sequences of at least 1.")
        if self.max_length is not None and x.shape[1] > self.max_length:
            raise WavezooError(
                f"sequences of {x.shape[1]} elements are longer than max_length={self.max_length}, up to which there "
                "are position embeddings. Cut them, or build the model with a greater max_length, or without one."
            )

    def _check_tokens(self, x: Tensor) -> None:
        if self.vocab_size is None or x.numel() == 0 or not _has_values(x):
            return
        least, greatest = (int(each) for each in x.aminmax())
        if not 0 <= least <= greatest < self.vocab_size:
            raise WavezooError(
                f"token ids reach from {least} to {greatest}; this model knows 0 to {self.vocab_size - 1}. "
                "Check the tokenizer, or build the model with a greater vocab_size."
            )


def _classifier(dim: int, num_classes: int) -> nn.Module:
    return nn.Linear(dim, num_classes) if num_classes > 0 else nn.Identity()


def _check_pool(global_pool: str) -> None:
    if global_pool not in SEQUENCE_POOLS:
        raise not_allowed("global_pool", global_pool, SEQUENCE_POOLS)


def _pooled(x: Tensor, mask: Tensor | None, pool: str) -> Tensor:
    if not pool:
        return x
    if mask is None:
        return x.mean(1) if pool == "mean" else x[:, 0 if pool == "first" else -1]
    mask = mask.to(x.device)
    if pool == "mean":
        return (x * mask.unsqueeze(-1)).sum(1) / mask.sum(1, keepdim=True)
    position = torch.arange(x.shape[1], device=x.device)
    wanted = torch.where(mask, position, -1).amax(1) if pool == "last" else mask.int().argmax(1)
    return x[torch.arange(x.shape[0], device=x.device), wanted]


def _has_values(x: Tensor) -> bool:
    """Return whether the values of a tensor can be looked at: not while a graph is recorded, nor on the meta device."""
    return not (torch.compiler.is_compiling() or torch.jit.is_tracing() or x.device.type == "meta")


def _spans(mask: Tensor, x: Tensor) -> list[tuple[int, int]]:
    """Return where the elements of each sequence begin and end."""
    if mask.shape != x.shape[:2] or mask.dtype != torch.bool:
        raise WavezooError(
            f"mask of shape {tuple(mask.shape)} and {mask.dtype} does not fit input of shape {tuple(x.shape)}; give "
            f"{tuple(x.shape[:2])} and torch.bool, True at the elements, False at padding."
        )
    spans = []
    for sample, row in enumerate(mask.tolist()):
        count = sum(row)
        start = row.index(True) if count else 0
        if not count:
            raise WavezooError(f"the mask leaves sample {sample} no element; drop the sample.")
        if not all(row[start : start + count]):
            raise WavezooError(
                f"the mask of sample {sample} has a gap; padding may stand before or after the elements, not between."
            )
        spans.append((start, start + count))
    return spans


SEQUENCE_MODELS: dict[str, Callable[..., WavePDESequence]] = {}


def register_sequence_model(entry_point: Callable[..., WavePDESequence]) -> Callable[..., WavePDESequence]:
    """Register a function that builds a sequence model, under its own name."""
    SEQUENCE_MODELS[entry_point.__name__] = entry_point
    return entry_point


def create_sequence_model(name: str, **kwargs: Any) -> WavePDESequence:
    """Build a sequence model by name.

    Args:
        name: one of those that ``wavezoo list models`` shows with ``seq``.
        **kwargs: the arguments of `WavePDESequence`; in place of the model's own ``depth`` and ``dim`` too.

    Raises:
        WavezooError: if there is no such model, or if an argument cannot work.
        TypeError: for an unknown keyword.
    """
    if name not in SEQUENCE_MODELS:
        raise not_allowed("sequence model", name, SEQUENCE_MODELS, "Image models are built by timm.create_model.")
    return SEQUENCE_MODELS[name](**kwargs)


@register_sequence_model
def wavepde_seq_tiny(**kwargs: Any) -> WavePDESequence:
    """Wave-PDE on sequences: 4 blocks of width 64."""
    return WavePDESequence(**{"depth": 4, "dim": 64, **kwargs})


@register_sequence_model
def wavepde_seq_small(**kwargs: Any) -> WavePDESequence:
    """Wave-PDE on sequences, the plan of S4 for Pathfinder and ListOps: 6 blocks of width 256."""
    return WavePDESequence(**{"depth": 6, "dim": 256, **kwargs})


@register_sequence_model
def wavepde_seq_base(**kwargs: Any) -> WavePDESequence:
    """Wave-PDE on sequences, the plan of S4 for images: 6 blocks of width 512."""
    return WavePDESequence(**{"depth": 6, "dim": 512, **kwargs})
