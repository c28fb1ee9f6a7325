import torch
from torch import nn

from tests.testing.broken import breaks
from wavezoo.mixers.depthwise import DepthwiseMixer


class WrappedMixer(DepthwiseMixer):
    def change(self, x, mixed):
        return mixed

    def forward(self, x):
        return self.change(x, super().forward(x))


@breaks("keeps_the_shape")
class ShrinkingMixer(WrappedMixer):
    def change(self, x, mixed):
        return mixed[..., 1:]


@breaks("causal_where_declared")
class PeekingMixer(WrappedMixer):
    def change(self, x, mixed):
        return mixed + x.mean(-1, keepdim=True)


@breaks("order_is_for_sequences")
class BoldMixer(WrappedMixer):
    def __init__(self, channels, ndim, *, causal=False):
        super().__init__(channels, ndim, causal=causal and ndim == 1)


@breaks("gradient_to_every_parameter", "full_initialisation")
class IdleParameterMixer(WrappedMixer):
    def __init__(self, channels, ndim, *, causal=False):
        super().__init__(channels, ndim, causal=causal)
        self.idle = nn.Parameter(torch.zeros(()))


@breaks("gradcheck")
class DetachedMixer(WrappedMixer):
    def change(self, x, mixed):
        return mixed.detach() + 0 * x


@breaks("dtype_and_device")
class SinglePrecisionMixer(WrappedMixer):
    def change(self, x, mixed):
        return mixed.float()


@breaks("batch_independence")
class BatchMeanMixer(WrappedMixer):
    def change(self, x, mixed):
        return mixed - x.mean(0, keepdim=True)


@breaks("any_layout")
class MemoryOrderMixer(WrappedMixer):
    def change(self, x, mixed):
        return mixed if x.is_contiguous() else 2 * mixed


@breaks("copies")
class RandomMixer(WrappedMixer):
    def change(self, x, mixed):
        return mixed + torch.rand(())
