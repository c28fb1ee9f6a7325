import contextlib
from types import SimpleNamespace

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from wavezoo.bench.clock import MIB, EventClock, HostClock, Limits, clock_of, measured_limits
from wavezoo.bench.work import COUNTED, work_of


class Cuda:
    """Stands for torch.cuda: a stream whose time and memory go on when work runs on it."""

    def __init__(self):
        self.now, self.allocated, self.peak = 5.0, 7 * MIB, 9 * MIB

    def run(self):
        self.now += 250.0
        self.peak = max(self.peak, self.allocated + 3 * MIB)

    def Event(self, enable_timing):  # noqa: N802
        assert enable_timing
        event = SimpleNamespace(at=None, synchronize=lambda: None)
        event.record = lambda: setattr(event, "at", self.now)
        event.elapsed_time = lambda end: end.at - event.at
        return event

    def device(self, device):
        return contextlib.nullcontext()

    def synchronize(self, device):
        pass

    def reset_peak_memory_stats(self, device):
        self.peak = self.allocated

    def memory_allocated(self, device):
        return self.allocated

    def max_memory_allocated(self, device):
        return self.peak


def test_events_time_the_device_and_its_peak_is_beyond_what_was_held():
    cuda = Cuda()
    clock = EventClock(cuda, torch.device("cuda"))
    assert clock.seconds(cuda.run) == pytest.approx(0.25)
    assert clock.peak_mib(cuda.run) == 3


def test_the_host_waits_for_the_device_before_and_after():
    order = []
    HostClock(lambda: order.append("wait")).seconds(lambda: order.append("work"))
    assert order == ["wait", "work", "wait"]


@pytest.mark.parametrize(("device", "kind"), [("cpu", HostClock), ("mps", HostClock), ("cuda", EventClock)])
def test_each_device_has_its_clock(device, kind):
    assert isinstance(clock_of(torch.device(device)), kind)


def test_the_nearer_limit_is_the_one_that_is_named():
    limits = Limits(bytes_per_second=100.0, operations_per_second=1000.0)
    assert limits.share(2.0, moved=50.0, operations=1000.0) == (0.5, "compute")
    assert limits.share(2.0, moved=150.0, operations=1000.0) == (0.75, "memory")


def test_limits_of_a_device_are_measured():
    limits = measured_limits(torch.device("cpu"), numbers=64, side=8, rounds=1)
    assert limits.bytes_per_second > 0
    assert limits.operations_per_second > 0


def test_transforms_are_counted():
    u = torch.empty(2, 3, 8, 16)
    with FlopCounterMode(display=False, custom_mapping=COUNTED) as counter:
        torch.fft.irfft2(torch.fft.rfft2(u), s=(8, 16))
    assert counter.get_total_flops() == 2 * 6 * 2.5 * 128 * 7


def test_work_is_that_of_products_and_what_they_put_out():
    assert work_of(lambda: torch.relu(torch.ones(3, 4) @ torch.ones(4, 5))) == (2 * 3 * 4 * 5, 15)
