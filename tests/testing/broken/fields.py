import torch
from torch import nn

from tests.testing.broken import breaks
from wavezoo.wave.fields.depthwise import DepthwiseField
from wavezoo.wave.fields.pointwise import PointwiseField


class WrappedField(PointwiseField):
    def change(self, x, value):
        return value

    def forward(self, x):
        return self.change(x, super().forward(x))


@breaks("positive", "starts_at_its_initial_value")
class NegativeField(WrappedField):
    def change(self, x, value):
        return -value


@breaks("broadcastable")
class WideField(WrappedField):
    def change(self, x, value):
        return torch.cat([value, value], 1)


@breaks("declares_its_dependence")
class PositionField(WrappedField):
    def change(self, x, value):
        return value + torch.arange(x.shape[-1], device=x.device, dtype=x.dtype)


@breaks("gradient_to_every_parameter", "full_initialisation")
class IdleField(WrappedField):
    def __init__(self, channels, ndim, *, initial):
        super().__init__(channels, ndim, initial=initial)
        self.idle = nn.Parameter(torch.zeros(()))


@breaks("causal_where_declared")
class PeekingField(WrappedField):
    def forward(self, x):
        return super().forward(x) + x.mean(-1, keepdim=True).square()


@breaks("gradcheck")
class DetachedField(WrappedField):
    def change(self, x, value):
        return value.detach() + 0 * value


@breaks("dtype_and_device")
class SinglePrecisionField(WrappedField):
    def change(self, x, value):
        return value.float()


@breaks("batch_independence")
class BatchNormField(WrappedField):
    def change(self, x, value):
        return value / value.amax()


@breaks("any_layout")
class StorageOrderField(WrappedField):
    def change(self, x, value):
        return value + x.as_strided((1,), (1,), 1).abs()


@breaks("grid_spacing_is_heard")
class DeafField(DepthwiseField):
    def set_grid_spacing(self, spacing):
        pass


@breaks("copies")
class RandomField(WrappedField):
    def change(self, x, value):
        return value + torch.rand(())
