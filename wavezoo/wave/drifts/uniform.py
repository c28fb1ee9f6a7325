"""A medium that moves at one velocity."""

import math

import torch
from torch import Tensor, nn

from wavezoo.errors import WavezooError
from wavezoo.wave.drifts.base import Drift
from wavezoo.wave.scheme import Requires
from wavezoo.wave.spectral.basis import method_on


class UniformDrift(Drift):
    """A medium that moves, with all that it is, at one learned velocity per channel: waves with a preferred direction.

    Equation: the solution at rest, shifted by ``b tau``: mode by mode a phase ``exp(-i b·k tau)``, exact for any
    distance, also a fraction of a cell. The Nyquist mode of an even axis, which no phase can shift, stays. The shift
    is orthogonal: energy stays as it is. Boundary: periodic.

    Args:
        speed: the size of the velocity at the start, in cells / time; its direction is another for every channel.

    Raises:
        WavezooError: if ``speed`` is negative or not finite.
    """

    requires = Requires(periodic=True)

    def __init__(self, channels: int, ndim: int, *, speed: float = 0.5) -> None:
        super().__init__(channels, ndim)
        if not 0 <= speed < math.inf:
            raise WavezooError(f"speed of the drift is {speed!r}; give a finite number, at least 0.")
        self.initial_speed = speed
        self.velocity = nn.Parameter(torch.empty(channels, ndim))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        # The golden angle spreads any number of directions evenly.
        turn = math.pi * (3 - math.sqrt(5)) if self.ndim == 2 else math.pi
        angles = torch.arange(self.channels, device=self.velocity.device) * turn
        directions = torch.stack([angles.cos(), angles.sin()][: self.ndim], -1).flip(-1)
        with torch.no_grad():
            self.velocity.copy_(self.initial_speed * directions)

    def carry(self, u: Tensor, time: Tensor) -> Tensor:
        distance = self.velocity.to(u.dtype) * time.to(u.dtype).view(-1, 1)
        for axis, by in zip(range(2, u.ndim), distance.unbind(-1), strict=True):
            along_last = _shift(u.movedim(axis, -1), by)
            u = along_last.movedim(-1, axis)
        return u


def _shift(u: Tensor, distance: Tensor) -> Tensor:
    """Shift ``u`` of shape ``(B, C, ..., N)`` along its last axis by ``distance`` of shape ``(C,)``, in cells."""
    size = u.shape[-1]
    index = torch.arange(size, device=u.device)
    if method_on((size,), "auto") == "matmul":
        # The circulant matrix of band-limited interpolation, by sums of cosines alone.
        m = torch.arange(1, (size + 1) // 2, device=u.device)
        offsets = (index[:, None] * m % size).to(u.dtype) * (2 * math.pi / size)
        angles = offsets - distance.view(-1, 1, 1) * (m.to(u.dtype) * (2 * math.pi / size))
        kernel = 1 + 2 * angles.cos().sum(-1)
        if size % 2 == 0:
            kernel = kernel + (1 - 2 * (index % 2)).to(u.dtype)
        circulant = (kernel / size)[:, (index - index[:, None]) % size]
        if u.ndim == 4:
            return u @ circulant
        return torch.einsum("bci,cij->bcj", u, circulant)
    m = torch.arange(size // 2 + 1, device=u.device)
    k = torch.where(2 * m == size, 0, m).to(u.dtype) * (2 * math.pi / size)
    angles = distance.view(-1, *[1] * (u.ndim - 2)) * k
    return torch.fft.irfft(torch.fft.rfft(u) * torch.complex(angles.cos(), -angles.sin()), n=size)
