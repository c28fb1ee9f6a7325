"""What sees later positions is found out, whichever way it looks."""

import pytest
import torch

import wavezoo
from wavezoo.testing import check_causal


class Before(torch.autograd.Function):
    """The mean of all positions, with the gradient of one that knows none but its own."""

    @staticmethod
    def forward(ctx, x):
        return x + x.mean(-1, keepdim=True)

    @staticmethod
    def backward(ctx, gradient):
        return gradient


def masked(x):
    """Later positions are multiplied with zeros."""
    return x @ torch.ones(x.shape[-1], x.shape[-1], dtype=x.dtype).triu()


def threshold(x):
    """The sign of the mean: no gradient, and no change of value where all of one sign stay so."""
    return x.cumsum(-1) * x.detach().mean(-1, keepdim=True).sign()


class BatchNormOverTime(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.norm = torch.nn.BatchNorm1d(4).double()

    def forward(self, x):
        return self.norm(x)


@pytest.mark.parametrize(
    "function",
    [lambda x: x + x.mean(-1, keepdim=True), Before.apply, masked, threshold, BatchNormOverTime()],
    ids=["mean", "without gradient", "by zeros", "threshold", "batch norm"],
)
def test_who_sees_the_future_is_found_out(function):
    with pytest.raises(AssertionError, match="the output at position 0 depends on later inputs"):
        check_causal(function, torch.randn(2, 4, 7, dtype=torch.float64))


@pytest.mark.parametrize("function", [lambda x: x.cumsum(-1), BatchNormOverTime().eval(), torch.relu])
def test_who_does_not_passes(function):
    check_causal(function, torch.randn(2, 4, 7, dtype=torch.float64))


@pytest.mark.parametrize("causal", [True, False])
@pytest.mark.parametrize("mixer", ["attention", "s4d"])
def test_a_model_of_tokens(mixer, causal):
    options = {"vocab_size": 5, "num_classes": 5, "global_pool": "", "matching": "width", "causal": causal}
    model = wavezoo.create_sequence_model("wavepde_seq_tiny", mixer=mixer, **options).double()
    tokens = torch.randint(0, 5, (2, 9))
    if causal:
        check_causal(model, tokens, output_axis=1)
        return
    with pytest.raises(AssertionError, match="depends on later inputs"):
        check_causal(model, tokens, output_axis=1)
