"""Tokens drawn from logits.

Shapes: B batch, V vocabulary.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from wavezoo.errors import WavezooError, require_whole


@dataclass(frozen=True)
class Sampling:
    """How tokens are drawn.

    Args:
        temperature: what the logits are divided by; 0 for the likeliest token always.
        top_k: draw from so many of the likeliest tokens only; None for all.
        top_p: draw from the likeliest tokens that together have this probability only (Holtzman et al. 2020).
        seed: decides what is drawn; None for another one each time.

    Raises:
        WavezooError: if one is out of range.
    """

    temperature: float = 1.0
    top_k: int | None = None
    top_p: float | None = None
    seed: int | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.temperature < float("inf"):
            raise WavezooError(f"temperature is {self.temperature!r}; give 0 for the likeliest token, or more.")
        if self.top_k is not None:
            require_whole("top_k", self.top_k)
        if self.top_p is not None and not 0 < self.top_p <= 1:
            raise WavezooError(f"top_p is {self.top_p!r}; give a probability above 0, up to 1.")

    def generator(self, device: torch.device) -> torch.Generator:
        """Return what the tokens are drawn by."""
        generator = torch.Generator(device)
        if self.seed is None:
            generator.seed()
            return generator
        return generator.manual_seed(self.seed)

    def drawn(self, logits: Tensor, generator: torch.Generator) -> Tensor:
        """Return a token for each of the logits ``(B, V)``, shape ``(B,)``."""
        if self.temperature == 0:
            return logits.argmax(-1)
        probabilities = (logits.float() / self.temperature).softmax(-1)
        if self.top_k is not None and self.top_k < probabilities.shape[-1]:
            least = probabilities.topk(self.top_k, -1).values[:, -1:]
            probabilities = probabilities.masked_fill(probabilities < least, 0.0)
        if self.top_p is not None:
            ordered, places = probabilities.sort(-1, descending=True)
            # What stands before a token is less than asked for, so that the first one always stays.
            before = ordered.cumsum(-1) - ordered
            total = ordered.sum(-1, keepdim=True)
            kept = ordered.masked_fill(before >= self.top_p * total, 0.0)
            probabilities = torch.zeros_like(probabilities).scatter_(-1, places, kept)
        return torch.multinomial(probabilities, 1, generator=generator).squeeze(-1)
