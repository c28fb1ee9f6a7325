import torch

import wavezoo


class FirstAxisDrift(wavezoo.Drift):
    """The whole medium moves along the first axis of the grid, at one velocity for all channels."""

    requires = wavezoo.Requires(periodic=True)

    def __init__(self, channels, ndim, *, velocity=0.5):
        super().__init__(channels, ndim)
        self.velocity = velocity

    def carry(self, u, time):
        size, like = u.shape[2], {"dtype": u.dtype, "device": u.device}
        m = torch.arange(size // 2 + 1, **like)
        waves = torch.where(2 * m == size, 0, m) * (2 * torch.pi / size)
        angles = self.velocity * time.to(u.dtype).view(-1, 1) * waves
        phases = torch.polar(torch.ones_like(angles), -angles).view(len(angles), -1, *[1] * (u.ndim - 3))
        return torch.fft.irfft(torch.fft.rfft(u, dim=2) * phases, n=size, dim=2)


@wavezoo.hookimpl
def wavezoo_drifts():
    return {"first_axis": FirstAxisDrift}
