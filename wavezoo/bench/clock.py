"""How long work takes on a device, what memory it needs there, and the fastest that the device could be."""

import functools
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch

MIB = 2**20
Work = Callable[[], object]


class Clock(ABC):
    """Measures work on one kind of device."""

    @abstractmethod
    def seconds(self, work: Work) -> float:
        """Run ``work`` and return its time."""

    @abstractmethod
    def peak_mib(self, work: Work) -> float | None:
        """Run ``work`` and return the most memory that it held beside what was held before; None if unknown."""


class HostClock(Clock):
    """The host's clock, read when the device has nothing left to do.

    Args:
        synchronize: waits for the device.
    """

    def __init__(self, synchronize: Callable[[], None] = lambda: None) -> None:
        self.synchronize = synchronize

    def seconds(self, work: Work) -> float:
        self.synchronize()
        start = time.perf_counter()
        work()
        self.synchronize()
        return time.perf_counter() - start

    def peak_mib(self, work: Work) -> float | None:
        return None


class EventClock(Clock):
    """Events in the device's own stream of work: what the host does meanwhile is not counted.

    Args:
        cuda: ``torch.cuda``, or what stands for it.
        device: the device.
    """

    def __init__(self, cuda: Any, device: torch.device) -> None:
        self.cuda = cuda
        self.device = device

    def seconds(self, work: Work) -> float:
        with self.cuda.device(self.device):
            start, end = (self.cuda.Event(enable_timing=True) for _ in range(2))
            start.record()
            work()
            end.record()
            end.synchronize()
        return float(start.elapsed_time(end)) / 1e3

    def peak_mib(self, work: Work) -> float | None:
        self.cuda.synchronize(self.device)
        self.cuda.reset_peak_memory_stats(self.device)
        before = self.cuda.memory_allocated(self.device)
        work()
        self.cuda.synchronize(self.device)
        return float(self.cuda.max_memory_allocated(self.device) - before) / MIB


def clock_of(device: torch.device) -> Clock:
    """Return the clock for ``device``."""
    if device.type == "cuda":
        return EventClock(torch.cuda, device)
    return HostClock(torch.mps.synchronize if device.type == "mps" else lambda: None)


@dataclass(frozen=True)
class Limits:
    """The fastest that a device was seen to be, in float32.

    Attributes:
        bytes_per_second: read and written by a copy of what no cache holds.
        operations_per_second: of a large matrix product.
    """

    bytes_per_second: float
    operations_per_second: float

    def share(self, seconds: float, moved: float, operations: float) -> tuple[float, str]:
        """Return the share of the nearer limit that work reaches, and which: ``"memory"`` or ``"compute"``.

        Args:
            seconds: that it took.
            moved: bytes that it has to read and write.
            operations: that it has to do.
        """
        shares = {
            "memory": moved / self.bytes_per_second / seconds,
            "compute": operations / self.operations_per_second / seconds,
        }
        nearer = max(shares, key=lambda limit: shares[limit])
        return shares[nearer], nearer


@functools.cache
def measured_limits(device: torch.device, numbers: int = 2**24, side: int = 2048, rounds: int = 5) -> Limits:
    """Return the limits of ``device``, the best of some rounds.

    Args:
        device: what to measure.
        numbers: in the copy.
        side: rows and columns of the matrices.
        rounds: how often each is measured.
    """
    clock = clock_of(device)
    source, matrix = torch.ones(numbers, device=device), torch.ones(side, side, device=device)
    target, product = torch.empty_like(source), torch.empty_like(matrix)

    def fastest(work: Work) -> float:
        return min(clock.seconds(work) for _ in range(rounds + 1))

    copied = fastest(lambda: target.copy_(source))
    multiplied = fastest(lambda: torch.mm(matrix, matrix, out=product))
    return Limits(2 * 4 * numbers / copied, 2 * side**3 / multiplied)
