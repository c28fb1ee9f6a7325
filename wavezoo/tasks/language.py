"""The token that follows."""

import math
from typing import cast

from torch import Tensor
from torch.nn import functional as F
from torchmetrics import MeanMetric, Metric

from wavezoo.data.facts import Facts, TextFacts
from wavezoo.errors import WavezooError
from wavezoo.tasks.base import Batch, Model, Task


class Language(Task):
    """The token that follows each token of a text: cross entropy, perplexity, and bits or perplexity of its units.

    ``loss`` is in nats a token, ``perplexity`` its exponential; a corpus that is counted by the byte or the character
    has ``bits_per_byte`` or ``bits_per_character`` besides, one by the word ``word_perplexity``: the exponential of the
    loss of all tokens over the number of words (Merity et al. 2016 count every end of a line as one).

    Args:
        facts: what the data are.
        label_smoothing: the share of each label that is spread over the vocabulary in training.
    """

    target = "next_token"
    decides = "loss"
    higher_is_better = False

    def __init__(self, facts: Facts, *, label_smoothing: float = 0.0) -> None:
        super().__init__(facts)
        if not isinstance(facts, TextFacts):
            raise WavezooError("the task language is for texts; these data have no tokenizer.")
        self.label_smoothing = label_smoothing

    @property
    def outputs(self) -> int:
        return cast(TextFacts, self.facts).vocabulary

    def loss(self, model: Model, batch: Batch) -> Tensor:
        *inputs, following = batch
        return F.cross_entropy(model(*inputs).float(), following, label_smoothing=self.label_smoothing)

    def answer(self, outputs: Tensor) -> Tensor:
        return outputs.float().log_softmax(1)

    def metric(self) -> Metric:
        return _Surprise()

    def numbers(self, metric: Metric) -> dict[str, float]:
        return text_numbers(cast(TextFacts, self.facts), float(metric.compute()))


class _Surprise(MeanMetric):
    """The mean of minus the logarithm of the probability that was given to what followed."""

    def update(self, answers: Tensor, following: Tensor) -> None:  # type: ignore[override]
        super().update(F.nll_loss(answers, following, reduction="none").double())


def text_numbers(facts: TextFacts, loss: float, split: str = "test") -> dict[str, float]:
    """Return a loss in nats a token, and what it is in the units of the corpus.

    Args:
        facts: of the corpus.
        loss: nats a token.
        split: that was measured.
    """
    a_unit = loss / facts.units_per_token[split]
    numbers = {"loss": loss, "perplexity": _exponential(loss)}
    if facts.unit == "word":
        return numbers | {"word_perplexity": _exponential(a_unit)}
    return numbers | {f"bits_per_{facts.unit}": a_unit / math.log(2)}


def _exponential(value: float) -> float:
    return math.exp(min(value, 700.0))
