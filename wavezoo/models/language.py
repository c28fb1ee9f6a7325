"""Language models of wave blocks: every token's place is a time, and what was heard so far is a state.

Shapes: B batch, N length, V vocabulary.
"""

from collections.abc import Iterator, Sequence
from itertools import cycle, islice
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from wavezoo.config.scheme import SchemeChoice
from wavezoo.config.spec import mixer_spec
from wavezoo.errors import WavezooError, require_whole
from wavezoo.models.backbone import drop_path_rates
from wavezoo.models.block import wave_block
from wavezoo.models.entry import ModelEntry
from wavezoo.models.sampling import Sampling
from wavezoo.models.sequence import WavePDESequence
from wavezoo.models.variants import LANGUAGE, Variant

# Of GPT-2 (Radford et al. 2019): with weights of this size, a fresh model gives every token about the same probability.
EMBEDDING_DEVIATION = 0.02
DEFAULT_SAMPLING = Sampling()


class WavePDELanguage(WavePDESequence, library_name="wavezoo"):
    """A causal model of token sequences, ``(B, N) -> (B, N, V)``: the logits of the token that follows each.

    The embedding of the tokens is also the classifier (Press and Wolf 2017). With mixers whose state does not grow, all
    of wavezoo's but attention, a token takes the same time and memory however long the text before it.

    Args:
        vocab_size: number of tokens V.
        max_length: the greatest length, which gives each position a learned embedding; None for any length.
        depth: number of blocks.
        dim: number of channels.
        mixers: what mixes positions, by name or as mappings with options, for the blocks in turn from the first, and
            over again: ``["string", "string", "attention"]``.
        mlp_ratio: hidden channels of the MLPs as a multiple of ``dim``.
        matching: ``"width"``: they are as wide whatever the mixer; ``"parameters"``, see `WavePDE`.
        local_taps: width of the depthwise convolution in front of every mixer; see `WavePDE`.
        drop_rate: dropout before the classifier.
        drop_path_rate: stochastic depth at the last block, growing linearly from 0 at the first.
        device: where to build the parameters.
        dtype: their dtype.

    Raises:
        WavezooError: naming the option that cannot work, such as a mixer that is not causal, and what is allowed.
    """

    def __init__(
        self,
        vocab_size: int,
        max_length: int | None = None,
        *,
        depth: int = 4,
        dim: int = 128,
        mixers: Sequence[SchemeChoice] = ("string",),
        mlp_ratio: float = 4.0,
        matching: str = "width",
        local_taps: int | None = None,
        drop_rate: float = 0.0,
        drop_path_rate: float = 0.0,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        if isinstance(mixers, str) or not mixers:
            raise WavezooError(
                f"mixers is {mixers!r}; give a list of one or more, such as [string, string, attention]."
            )
        rules: dict[str, Any] = {"mlp_ratio": mlp_ratio, "matching": matching, "local_taps": local_taps}
        super().__init__(
            vocab_size=vocab_size,
            global_pool="",
            max_length=max_length,
            depth=depth,
            dim=dim,
            mixer=mixers[0],
            causal=True,
            drop_rate=drop_rate,
            drop_path_rate=drop_path_rate,
            device=device,
            dtype=dtype,
            **rules,
        )
        pattern = zip(islice(cycle(mixers), depth), drop_path_rates(drop_path_rate, depth), strict=True)
        for number, (mixer, rate) in enumerate(pattern):
            if mixer != mixers[0]:
                spec = mixer_spec(mixer, "closed_form", causal=True)
                self.blocks[number] = wave_block(dim, 1, spec, drop_path=rate, **rules).to(device, dtype)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the embedding anew; the layers have a method of the same name for theirs."""
        nn.init.normal_(self.stem.weight, std=EMBEDDING_DEVIATION)

    def forward_head(self, x: Tensor, mask: Tensor | None = None, pre_logits: bool = False) -> Tensor:
        """Map features ``(B, N, C)`` to logits ``(B, N, V)``, or to what the classifier would see."""
        x = super().forward_head(x, mask, pre_logits=True)
        return x if pre_logits else F.linear(x, self.stem.weight)

    def stream(self, prompt: Tensor, length: int, sampling: Sampling = DEFAULT_SAMPLING) -> Iterator[Tensor]:
        """Continue a prompt, token by token, in memory that does not grow unless a mixer's state does.

        Args:
            prompt: token ids ``(B, N)``, at least one each.
            length: number of tokens to draw.
            sampling: how they are drawn.

        Returns:
            The tokens as they are drawn, ``(B,)`` each.

        Raises:
            WavezooError: if the prompt is none, or with its continuation is longer than ``max_length``.
        """
        length = require_whole("length", length)
        if prompt.ndim != 2 or 0 in prompt.shape:
            raise WavezooError(
                f"a prompt of shape {tuple(prompt.shape)} is none; give token ids (B, N), one each or more."
            )
        if self.max_length is not None and prompt.shape[1] + length > self.max_length:
            raise WavezooError(
                f"a prompt of {prompt.shape[1]} tokens and {length} more are longer than max_length={self.max_length}. "
                "Ask for less, or build the model without max_length."
            )
        return self._drawn(prompt, length, sampling)

    def generate(self, prompt: Tensor, length: int, sampling: Sampling = DEFAULT_SAMPLING) -> Tensor:
        """Continue a prompt; see `stream`. Returns the tokens drawn, ``(B, length)``."""
        return torch.stack(list(self.stream(prompt, length, sampling)), 1)

    def _drawn(self, prompt: Tensor, length: int, sampling: Sampling) -> Iterator[Tensor]:
        generator = sampling.generator(prompt.device)
        # Not over a yield: the caller's gradients are the caller's.
        with torch.no_grad():
            logits, state = self(prompt, state=self.initial_state(len(prompt)))
            last = logits[:, -1]
        for number in range(length):
            token = sampling.drawn(last, generator)
            yield token
            if number + 1 < length:
                with torch.no_grad():
                    last, state = self.step(token, state)


def _entry(variant: Variant) -> ModelEntry:
    def build(**kwargs: Any) -> WavePDELanguage:
        return WavePDELanguage(**{**variant.settings, **kwargs})

    return ModelEntry(build, "language", variant.description, WavePDELanguage)


ENTRIES = {name: _entry(variant) for name, variant in LANGUAGE.items()}
