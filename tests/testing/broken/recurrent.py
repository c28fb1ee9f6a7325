import torch
from torch import nn

from tests.testing.broken import breaks
from wavezoo.mixers.recurrent import RecurrentMixer


class RunningSum(RecurrentMixer):
    """Works: a sum that decays, position by position."""

    causality = "always"
    projects = False

    def __init__(self, channels, ndim, *, causal=False):
        super().__init__(channels, ndim, causal=causal)
        self.decay = nn.Parameter(torch.full((channels,), 0.9))

    def physical_parameters(self):
        yield self.decay

    def initial_state(self, batch):
        return (self.decay.new_zeros(batch, self.channels),)

    def kept(self):
        return self.decay.clamp(0, 1)

    def start(self, total):
        return total

    def end(self, total, x):
        return total

    def heard(self, y):
        return y

    def forward(self, x, state=None):
        total, outputs = self.start((self.initial_state(len(x)) if state is None else state)[0]), []
        for each in x.unbind(-1):
            total = self.kept() * total + each
            outputs.append(total)
        y = self.heard(torch.stack(outputs, -1))
        return y if state is None else (y, (self.end(total, x),))


@breaks("steps_agree_with_the_whole", "training_changes_nothing")
class TiredSum(RunningSum):
    def step(self, x, state):
        y, state = super().step(x, state)
        return 0.99 * y, state


@breaks("steps_agree_over_a_long_sequence")
class SlowlyForgetfulSum(RunningSum):
    """Its recurrence decays by another rate than the kernel, which 65 positions do not show."""

    def kept(self):
        return torch.ones_like(self.decay)

    def end(self, total, x):
        return total * (1 - 1e-12)


@breaks("goes_on_from_a_state", "steps_go_on_from_a_prefix")
class ForgetfulSum(RunningSum):
    def start(self, total):
        return torch.zeros_like(total)


@breaks("goes_on_from_a_state")
class DetachedSum(RunningSum):
    def end(self, total, x):
        return total.detach()


@breaks("later_inputs_have_no_gradient", "a_suffix_moves_nothing", "nan_stays_behind")
class FourierSum(RunningSum):
    """Right to rounding, which is what leaks."""

    def heard(self, y):
        return torch.fft.irfft(torch.fft.rfft(y), y.shape[-1])


@breaks("nan_stays_behind")
class DeafSum(RunningSum):
    def heard(self, y):
        return y.nan_to_num()


@breaks("state_has_its_declared_size")
class HoardingSum(RunningSum):
    def initial_state(self, batch):
        return *super().initial_state(batch), self.decay.new_zeros(batch, self.channels, 0)

    def forward(self, x, state=None):
        if state is None:
            return super().forward(x)
        y, (total,) = super().forward(x, state)
        return y, (total, torch.cat([state[1], x], -1))


@breaks("states_are_each_samples_own")
class SharedSum(RunningSum):
    def end(self, total, x):
        return total + total.mean(0)


@breaks("training_changes_nothing")
class ScatteredSum(RunningSum):
    def heard(self, y):
        return 1.1 * y if self.training else y


@breaks("very_long_sequences_do_not_blow_up")
class GrowingSum(RunningSum):
    """Grows by one in a thousand, far beyond what it starts with."""

    def forward(self, x, state=None):
        if state is not None:
            return super().forward(x, state)
        times = torch.arange(x.shape[-1], device=x.device, dtype=x.dtype)
        return self.decay[:, None].clamp(0, 1.001) ** times * x[..., :1]


@breaks("refuses_a_state_where_it_sees_the_future")
class BoldSum(RunningSum):
    causality = "optional"
