"""Wave-PDE backbones on sequences: the block of the vision models on one grid axis.

Shapes: B batch, N length, C channels. Sequences are ``(B, N, features)`` or token ids ``(B, N)``, as in most sequence
models; inside, channels come first.
"""

from contextlib import nullcontext
from functools import partial
from typing import Any, overload

import torch
from huggingface_hub import PyTorchModelHubMixin
from timm.models import checkpoint_seq
from torch import Tensor, nn
from typing_extensions import Unpack

from wavezoo.config.scheme import SchemeChoice
from wavezoo.config.spec import OperatorChoices, mixer_spec
from wavezoo.errors import WavezooError, require_choice, require_whole
from wavezoo.models.backbone import (
    MLP_RATIO,
    Backbone,
    check_operator_choices,
    check_placement,
    check_rates,
    drop_path_rates,
    outputs,
    with_reach,
)
from wavezoo.models.block import wave_block
from wavezoo.models.entry import ModelEntry
from wavezoo.models.masks import by_length, pooled, spans_of
from wavezoo.models.state import SequenceState
from wavezoo.models.variants import SEQUENCE, Variant
from wavezoo.nn.carried import initial_state
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
        x = self.drop(pooled(self.norm(x.mT).mT, mask, self.global_pool))
        return x if pre_logits else self.fc(x)


class WavePDESequence(Backbone, PyTorchModelHubMixin, library_name="wavezoo"):
    """A sequence classifier, tagger or encoder of wave blocks.

    Every position sees every other, in both directions, unless ``causal``. Padding changes no result, whatever the
    mixer: given a ``mask``, sequences are cut to their own length, and those of equal length run together. So a
    periodic Laplacian closes its ring at the sequence's own last element.

    `save_pretrained`, `push_to_hub` and `from_pretrained` are those of huggingface_hub: weights as safetensors, and the
    keyword arguments as JSON.

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
        mlp_ratio: hidden channels of the MLPs as a multiple of C; see `WavePDE`.
        matching: the rule for mixers of another kind; see `WavePDE`.
        local_taps: width of the depthwise convolution in front of every mixer; see `WavePDE`.
        norm: ``"layer"`` or ``"batch"``; see `WavePDE`. The latter cannot be causal, since its statistics take in every
            position, and cannot be trained with a mask: they would depend on which sequences are of equal length.
        preset: ``"closed_form"``, ``"stepped"`` or ``"paper"``: the choice on every axis, and for the last the block.
        mixer: what mixes positions, by name or as a mapping with options; see `WavePDE`.
        grid_spacing: distance of two elements in units of that in training; see `set_grid_spacing`.
        drop_rate: dropout before the classifier.
        drop_path_rate: stochastic depth at the last block, growing linearly from 0 at the first.
        device: where to build the parameters.
        dtype: their dtype.
        **operator: schemes and options of the wave operator in place of the preset's; see `WavePDE`. With any mixer,
            ``causal=True`` lets no output depend on later inputs, and is refused where the mixer cannot.

    Raises:
        WavezooError: naming the option that cannot work, what is allowed and what to do.
        TypeError: for an unknown keyword.
    """

    head: SequenceHead

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
        matching: str = "parameters",
        local_taps: int | None = None,
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
        if (in_features is None) == (vocab_size is None):
            raise WavezooError(
                f"in_features is {in_features!r} and vocab_size is {vocab_size!r}; give in_features for sequences of "
                "numbers, (B, N, in_features), or vocab_size for token ids, (B, N), and leave the other out."
            )
        check_rates(mlp_ratio, drop_rate=drop_rate, drop_path_rate=drop_path_rate)
        check_placement(device, dtype)
        _check_pool(global_pool)
        depth, dim = require_whole("depth", depth), require_whole("dim", dim)
        spec = mixer_spec(mixer, preset, **with_reach(preset, operator, max_length))
        if spec.causal and norm == "batch":
            raise WavezooError(
                'norm="batch" is not causal: its statistics take in later positions. Use norm="layer", or causal=False.'
            )
        self.in_features = None if in_features is None else require_whole("in_features", in_features)
        self.vocab_size = None if vocab_size is None else require_whole("vocab_size", vocab_size)
        self.max_length = None if max_length is None else require_whole("max_length", max_length)
        self.num_classes = outputs(num_classes)
        self.causal = spec.causal
        self.num_features = self.head_hidden_size = dim
        self.grad_checkpointing = False
        rules: dict[str, Any] = {"mlp_ratio": mlp_ratio, "matching": matching, "local_taps": local_taps}
        block = partial(wave_block, dim, 1, spec, norm=norm, **rules)
        with torch.device(device) if device is not None else nullcontext():
            self.stem: nn.Linear | nn.Embedding
            if self.vocab_size is not None:
                self.stem = nn.Embedding(self.vocab_size, dim)
            elif self.in_features is not None:
                self.stem = nn.Linear(self.in_features, dim)
            self.position = None if self.max_length is None else nn.Embedding(self.max_length, dim)
            self.blocks = nn.Sequential(*[block(drop_path=rate) for rate in drop_path_rates(drop_path_rate, depth)])
            self.head = SequenceHead(dim, self.num_classes, global_pool, drop_rate, norm)
        if dtype is not None:
            self.to(dtype)
        self.set_grid_spacing(grid_spacing)

    @property
    def global_pool(self) -> str:
        """What the classifier sees."""
        return self.head.global_pool

    def forward_features(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """Map sequences to features ``(B, N, C)``, zero at padding.

        Args:
            x: numbers ``(B, N, in_features)`` or token ids ``(B, N)`` of any whole number's dtype; what stands at
                padding does not matter. Token ids are not read back from a GPU to be checked.
            mask: ``(B, N)``, True at the elements, False at padding, which may stand before or after them. Its values
                are read back from the device, which breaks a compiled graph.

        Raises:
            WavezooError: if shape, dtype, token ids, length or mask cannot be, or in training with batch norm and
                sequences of several lengths.
        """
        self._check_input(x, mask)
        spans = None if mask is None else spans_of(mask)
        if mask is None or spans is None or all(span == (0, x.shape[1]) for span in spans):
            return self._encoded(x)
        if self.training and isinstance(self.head.norm, nn.BatchNorm1d):
            raise WavezooError(
                'norm="batch" cannot be trained on sequences of several lengths: its statistics would depend on which '
                'are of equal length. Build the model with norm="layer".'
            )
        return by_length(self._encoded, x, spans)

    def forward_head(self, x: Tensor, mask: Tensor | None = None, pre_logits: bool = False) -> Tensor:
        """Map features to logits ``(B, num_classes)``, ``(B, N, num_classes)`` without pooling, or to what the
        classifier would see.
        """
        return self.head(x, mask, pre_logits)

    def initial_state(self, batch: int) -> SequenceState:
        """Return the state of a causal model before the first element of ``batch`` sequences.

        Raises:
            WavezooError: if the model is not causal, if a mixer has no state to go on from, or unless every element has
                an output of its own (``global_pool=""``) or the last one the only one (``"last"``).
        """
        require_choice("global_pool of a model that goes on from a state", self.global_pool, ("", "last"))
        return SequenceState(0, tuple(initial_state(block, batch) for block in self.blocks))

    @overload
    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor: ...

    @overload
    def forward(
        self, x: Tensor, mask: Tensor | None = None, *, state: SequenceState
    ) -> tuple[Tensor, SequenceState]: ...

    def forward(
        self, x: Tensor, mask: Tensor | None = None, *, state: SequenceState | None = None
    ) -> Tensor | tuple[Tensor, SequenceState]:
        """Map sequences to logits; see `forward_features` and `forward_head`.

        Args:
            x: the sequences, or the elements that go on where ``state`` was left.
            mask: as for `forward_features`; without a state only.
            state: what `initial_state` or this function returned; then the state after ``x`` is returned too.
        """
        if state is None:
            return self.forward_head(self.forward_features(x, mask), mask)
        if mask is not None:
            raise WavezooError("a mask and a state were given; elements that go on from a state have no padding.")
        features, state = self._continued(x, state)
        return self.forward_head(features), state

    def step(self, x: Tensor, state: SequenceState) -> tuple[Tensor, SequenceState]:
        """Map one element, a token id ``(B,)`` or numbers ``(B, in_features)``, to logits ``(B, num_classes)``, and the
        state before it to that after it.
        """
        logits, state = self(x.unsqueeze(1), state=state)
        return (logits if self.global_pool == "last" else logits.squeeze(1)), state

    def reset_classifier(self, num_classes: int, global_pool: str | None = None) -> None:
        """Replace the classifier; ``global_pool=None`` keeps the pooling.

        Raises:
            WavezooError: if there is no such pooling, or if ``num_classes`` is no number of classes.
        """
        if global_pool is not None:
            _check_pool(global_pool)
        self.num_classes = outputs(num_classes)
        self.head.reset(self.num_classes, global_pool)

    @torch.jit.ignore
    def set_grad_checkpointing(self, enable: bool = True) -> None:
        """Recompute each block in the backward pass instead of keeping its activations."""
        self.grad_checkpointing = enable

    @torch.jit.ignore
    def group_matcher(self, coarse: bool = False) -> dict[str, Any]:
        """Return timm's patterns for the parameter groups of layer-wise learning-rate decay."""
        return {"stem": r"^stem|^position", "blocks": [(r"^blocks\.(\d+)", None)]}

    def _continued(self, x: Tensor, state: SequenceState) -> tuple[Tensor, SequenceState]:
        self._check_input(x, None, state.position)
        position, length = state.position, x.shape[1]
        x = self._positioned(x, position).mT
        after = []
        for block, before in zip(self.blocks, state.blocks, strict=True):
            x, left = block(x, before)
            after.append(left)
        return x.mT, SequenceState(position + length, tuple(after))

    def _positioned(self, x: Tensor, start: int = 0) -> Tensor:
        x = self.stem(x) if self.vocab_size is None else self._embedded(x)
        if self.position is not None:
            x = x + self.position(torch.arange(start, start + x.shape[1], device=x.device))
        return x

    def _encoded(self, x: Tensor) -> Tensor:
        x = self._positioned(x).mT
        x = checkpoint_seq(self.blocks, x) if self.grad_checkpointing else self.blocks(x)
        return x.mT

    def _embedded(self, x: Tensor) -> Tensor:
        x = x.long()
        if torch.compiler.is_compiling():
            return self.stem(x)
        try:
            return self.stem(x)
        except IndexError as error:
            raise WavezooError(
                f"token ids reach {_range(x)}; this model knows 0 to {self.stem.weight.shape[0] - 1}. Check the "
                "tokenizer, or build the model with a greater vocab_size."
            ) from error

    def _check_input(self, x: Tensor, mask: Tensor | None, start: int = 0) -> None:
        tokens = self.vocab_size is not None
        wanted = "token ids (B, N)" if tokens else f"numbers (B, N, {self.in_features})"
        if x.ndim != (2 if tokens else 3) or not (tokens or x.shape[2] == self.in_features):
            raise WavezooError(f"input of shape {tuple(x.shape)} does not fit a model for {wanted}.")
        integral = not (x.is_floating_point() or x.is_complex() or x.dtype == torch.bool)
        if integral if not tokens else not integral:
            raise WavezooError(f"input of {x.dtype} does not fit a model for {wanted}.")
        if x.shape[1] == 0:
            raise WavezooError(f"input of shape {tuple(x.shape)} has no element; give sequences of at least 1.")
        if self.max_length is not None and start + x.shape[1] > self.max_length:
            raise WavezooError(
                f"sequences of {start + x.shape[1]} elements are longer than max_length={self.max_length}, up to which "
                "there are position embeddings. Cut them, or build the model with a greater max_length, or without one."
            )
        if mask is not None and (mask.shape != x.shape[:2] or mask.dtype != torch.bool):
            raise WavezooError(
                f"mask of shape {tuple(mask.shape)} and {mask.dtype} does not fit input of shape {tuple(x.shape)}; "
                f"give {tuple(x.shape[:2])} and torch.bool, True at the elements, False at padding."
            )


def _range(x: Tensor) -> str:
    try:
        return f"from {int(x.min())} to {int(x.max())}"
    # Under torch.func, values cannot be looked at.
    except RuntimeError:
        return "further"


def _classifier(dim: int, num_classes: int) -> nn.Module:
    return nn.Linear(dim, num_classes) if num_classes > 0 else nn.Identity()


def _check_pool(global_pool: str) -> None:
    require_choice("global_pool", global_pool, SEQUENCE_POOLS)


def _entry(variant: Variant) -> ModelEntry:
    def build(**kwargs: Any) -> WavePDESequence:
        return WavePDESequence(**{**variant.settings, **kwargs})

    return ModelEntry(build, "sequence", variant.description, WavePDESequence)


ENTRIES = {name: _entry(variant) for name, variant in SEQUENCE.items()}
