import torch
from torch import nn

from tests.testing.broken import breaks
from wavezoo.wave.drifts.uniform import UniformDrift


class WrappedDrift(UniformDrift):
    def change(self, u, carried, time):
        return carried

    def carry(self, u, time):
        return self.change(u, super().carry(u, time), time)


@breaks("moves_with_time")
class StillDrift(WrappedDrift):
    def carry(self, u, time):
        return u


@breaks("times_add_up", "norm_is_kept")
class FadingDrift(WrappedDrift):
    def change(self, u, carried, time):
        return carried * (1 - 0.1 * time.view(-1, *[1] * (u.ndim - 2)).square())


@breaks("smooth_waves_move_exactly")
class PatchyDrift(WrappedDrift):
    def change(self, u, carried, time):
        return carried * torch.arange(u.shape[-1], dtype=u.dtype, device=u.device)


@breaks("time_by_channel")
class CommonTimeDrift(WrappedDrift):
    def carry(self, u, time):
        return super().carry(u, time.mean().view(1))


@breaks("gradient_to_every_parameter", "full_initialisation")
class IdleParameterDrift(WrappedDrift):
    def __init__(self, channels, ndim):
        super().__init__(channels, ndim)
        self.idle = nn.Parameter(torch.zeros(()))


@breaks("gradcheck")
class DetachedDrift(WrappedDrift):
    def change(self, u, carried, time):
        return carried.detach() + 0 * u


@breaks("dtype_and_device")
class SinglePrecisionDrift(WrappedDrift):
    def change(self, u, carried, time):
        return carried.float()


@breaks("causal_where_declared")
class PeekingDrift(WrappedDrift):
    causal = True

    def change(self, u, carried, time):
        return carried - u.mean(-1, keepdim=True)


@breaks("batch_independence")
class BatchMeanDrift(WrappedDrift):
    def change(self, u, carried, time):
        return carried - u.mean(0, keepdim=True)


@breaks("copies")
class RandomDrift(WrappedDrift):
    def change(self, u, carried, time):
        return carried + torch.rand(())
