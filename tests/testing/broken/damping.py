import threading

import torch

from tests.testing.broken import breaks
from wavezoo.wave.damping.base import Kick
from wavezoo.wave.damping.exponential import ExponentialDamping
from wavezoo.wave.damping.linear import LinearDamping


class WrappedDamping(ExponentialDamping):
    def decay(self, gamma, dt):
        return torch.exp(-gamma * dt)

    def opening(self, gamma, dt):
        return Kick(self.decay(gamma, dt), dt)

    def closing(self, gamma, dt):
        return Kick(self.decay(gamma, dt), self.decay(gamma, dt) * dt)


@breaks("energy_never_grows", "stability_factor_is_honest")
class Antidamping(WrappedDamping):
    def decay(self, gamma, dt):
        return torch.exp(gamma * dt)


@breaks("stability_factor_is_honest")
class BoastfulLinear(LinearDamping):
    stability_factor = 1.0


@breaks("overdamped_waves_move_as_they_should")
class PushingDamping(WrappedDamping):
    """Decays exactly, but pushes as if it did not."""


@breaks("unstable_beyond_its_gamma_limit")
class TimidExponential(ExponentialDamping):
    gamma_dt_limit = 2.0


@breaks("zero_damping_is_none", "rate_is_proportional_to_gamma", "exact_where_declared", "order", "reversibility")
class AlwaysDamping(WrappedDamping):
    def decay(self, gamma, dt):
        return torch.exp(-gamma.sqrt() * abs(dt) - 0.01)


@breaks("gradcheck")
class DetachedDamping(WrappedDamping):
    def decay(self, gamma, dt):
        return super().decay(gamma, dt).detach() + 0 * gamma


@breaks("dtype_and_device")
class SinglePrecisionDamping(WrappedDamping):
    def rate(self, gamma, eigenvalues):
        return gamma.float()


@breaks("batch_independence")
class BatchMeanDamping(WrappedDamping):
    def decay(self, gamma, dt):
        return torch.exp(-gamma.mean(0, keepdim=True) * dt)


@breaks("copies")
class LockedDamping(ExponentialDamping):
    def __init__(self, channels, ndim):
        super().__init__(channels, ndim)
        self.lock = threading.Lock()
