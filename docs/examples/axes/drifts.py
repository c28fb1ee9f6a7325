"""A drift of one's own: every channel moves by whole cells, as many a time step as it is told."""

from wavezoo.wave import Drift, SpectralLaplacian, VelocityVerlet, WaveOperator


class WholeCells(Drift):
    def carry(self, u, time):
        return u.roll(round(float(time)), -1)


operator = WaveOperator(
    8, SpectralLaplacian(8, 1), VelocityVerlet(), drift=WholeCells(8, 1), steps=4, dt=1.0, learn_dt=False
)
