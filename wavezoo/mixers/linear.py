"""Linear memories: what a mixer does whose every channel is a linear system that is the same at all times.

``h_n = A h_{n-1} + b x_n``, ``y_n = c h_n``: a convolution with the kernel ``K_k = c A^k b``. A system says what its
powers are, and every way to run it is made of these: a kernel is never cut, and agrees with the recurrence.

Shapes: B batch, C channels, N length, S numbers of state in a channel, T times.
"""

from abc import ABC, abstractmethod

import torch
from torch import Tensor
from torch.nn import functional as F

from wavezoo.mixers.contained import contained

# Positions of a chunk, measured on a CPU: with fewer, more states are carried; with more, products grow. For small
# batches a convolution by Fourier transforms is faster (two thirds of the time at 8 x 64 x 1024), but leaks rounding
# errors backwards, has no state to go on from, and hands a NaN to every position.
CHUNK, LONG_CHUNK = 64, 128
LONG = 8192


class LinearSystem(ABC):
    """A linear system in every channel, given by its powers; times are whole numbers."""

    @abstractmethod
    def heard(self, times: Tensor) -> Tensor:
        """Return ``c A^t``, shape ``(C, T, S)``."""

    @abstractmethod
    def struck(self, times: Tensor) -> Tensor:
        """Return ``A^t b``, shape ``(C, S, T)``."""

    @abstractmethod
    def power(self, time: int) -> tuple[Tensor, Tensor | None]:
        """Return ``A^t`` as two tensors ``(C, S)``, by which it maps h to ``first * h + second * h'``, where h' is h
        with its halves exchanged; None for a second that is zero.
        """


def kernel(system: LinearSystem, length: int, device: torch.device) -> Tensor:
    """Return ``K``, shape ``(C, length)``."""
    chunk = min(length, CHUNK)
    starts = torch.arange(0, length, chunk, device=device)
    products = system.heard(starts) @ system.struck(torch.arange(chunk, device=device))
    return products.flatten(1)[:, :length]


def run(system: LinearSystem, x: Tensor, state: Tensor | None = None) -> tuple[Tensor, Tensor | None]:
    """Run over a sequence in its order, by chunks: products inside of them, and a state from each to the next.

    No output depends on later inputs, not by a rounding error, and not where these are not finite. A value that is not
    finite makes all later outputs NaN.

    Args:
        system: the system.
        x: inputs ``(B, C, N)``.
        state: where it starts, ``(B, C, S)``; None for rest, where it is not to go on from the end.

    Returns:
        Outputs ``(B, C, N)``, and the state after them if one was given.
    """
    batch, channels, length = x.shape
    x, poison = contained(x)
    size = min(length, LONG_CHUNK if length >= LONG else CHUNK)
    count = -(-length // size)
    last = length - (count - 1) * size
    rows = F.pad(x, (0, size - last)).reshape(batch, channels, count, size).transpose(0, 1)
    rows = rows.reshape(channels, batch * count, size)
    times = torch.arange(size, device=x.device)
    struck = system.struck(times)
    y = rows @ _toeplitz((system.heard(times[:1]) @ struck).squeeze(1)).mT
    if count > 1 or state is not None:
        strikes = (rows @ struck.flip(-1).mT).view(channels, batch, count, -1).transpose(0, 1)
        start = torch.zeros_like(strikes[:, :, 0]) if state is None else state
        states = _states(start, strikes, system.power(size))
        y = torch.baddbmm(y, states.transpose(0, 1).flatten(1, 2), system.heard(times + 1).mT)
        if state is not None:
            ends = rows.view(channels, batch, count, size)[:, :, -1, :last] @ struck[..., :last].flip(-1).mT
            state = _times(system.power(last), states[:, :, -1]) + ends.transpose(0, 1)
    y = y.view(channels, batch, count * size).transpose(0, 1)[..., :length]
    return y + poison, None if state is None else state + poison[..., -1:]


def convolve(forward: Tensor, backward: Tensor, x: Tensor) -> Tensor:
    """Convolve ``x`` of shape ``(B, C, N)`` with kernels of both directions, each ``(C, N)``, by Fourier transforms.

    ``y_n = Σ_{k >= 0} forward_k x_{n-k} + Σ_{k >= 1} backward_{k-1} x_{n+k}``. Beyond the ends the input is zero.
    """
    length = x.shape[-1]
    both = F.pad(forward, (0, length)) + F.pad(backward.flip(-1), (length, 0))
    modes = torch.fft.rfft(x, 2 * length) * torch.fft.rfft(both)
    return torch.fft.irfft(modes, 2 * length)[..., :length]


def _toeplitz(response: Tensor) -> Tensor:
    """Return the matrices ``M_{n,k} = K_{n-k}``, zero for ``n < k``, of kernels ``(C, T)``, shape ``(C, T, T)``."""
    size = response.shape[-1]
    return F.pad(response, (size - 1, 0)).unfold(-1, size, 1).flip(-1)


def _times(power: tuple[Tensor, Tensor | None], state: Tensor) -> Tensor:
    first, second = power
    out = first * state
    return out if second is None else torch.addcmul(out, second, state.roll(state.shape[-1] // 2, -1))


def _states(state: Tensor, strikes: Tensor, power: tuple[Tensor, Tensor | None]) -> Tensor:
    """Return the states before each of Q chunks, ``(B, C, Q, S)``, from what these add, of the same shape."""
    states = [state]
    for strike in strikes.unbind(2)[:-1]:
        states.append(_times(power, states[-1]) + strike)
    return torch.stack(states, 2)
