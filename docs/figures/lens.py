"""Draws lens.png: a plane wave in a medium that has learned to gather it at a chosen point.

One wave operator, one channel: its speed is a learned map over the grid, its damping absorbs at the edges. It is
trained for half a minute on a CPU to gather as much as it can of the wave at one point.

    python docs/figures/lens.py
"""

from pathlib import Path

import matplotlib.pyplot as plt
import torch
from matplotlib.colors import LinearSegmentedColormap

from wavezoo.wave import MidpointDamping, PositionalField, SpectralLaplacian, SpongeField, VelocityVerlet, WaveOperator

SIZE, STEPS, UPDATES = 112, 250, 100
START, TARGET = 22, (56, 86)
SHOWN = (60, 160, STEPS)

torch.manual_seed(0)
operator = WaveOperator(
    channels=1,
    laplacian=SpectralLaplacian(1, 2),
    integrator=VelocityVerlet(),
    speed=PositionalField(1, 2, initial=0.6, maximum=0.9, resolution=20),
    damping=MidpointDamping(1, 2),
    damping_field=SpongeField(1, 2, initial=1e-4, strength=0.5, width=0.12),
    steps=STEPS,
    dt=0.45,
    learn_dt=False,
)


def distance_to(point: tuple[int, int]) -> torch.Tensor:
    """Return the distance of every cell to a point, ``(1, 1, SIZE, SIZE)``."""
    rows, columns = torch.meshgrid(torch.arange(SIZE), torch.arange(SIZE), indexing="ij")
    return torch.hypot(rows - point[0], (columns - point[1]).double()).float().view(1, 1, SIZE, SIZE)


def unevenness(speed: torch.Tensor) -> torch.Tensor:
    """Return the mean squared slope of a map, so that a medium without needless detail is learned."""
    return speed.diff(dim=-1).square().mean() + speed.diff(dim=-2).square().mean()


from_start = (torch.arange(SIZE) - START).float().expand(1, 1, SIZE, SIZE)
ripple = torch.cos(2 * torch.pi * from_start / 9) * torch.exp(-from_start.square() / (2 * 6.0**2))
window = torch.exp(-distance_to(TARGET).square() / (2 * 4.0**2))
optimizer = torch.optim.Adam(operator.speed.parameters(), lr=0.1)
schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.15, total_steps=UPDATES)
for update in range(UPDATES):
    arrived = (operator(ripple).square() * window).sum()
    if update == 0:
        before = arrived.item()
    loss = -arrived.log() + 500 * unevenness(operator.speed(ripple))
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    schedule.step()
after = arrived.item()
print(f"energy at the target: {before:.2e} before training, {after:.2e} after: {after / before:.0f} times as much")

with torch.no_grad():
    speed = operator.speed(ripple)[0, 0]
    waves = operator.simulate(ripple).displacement[:, 0, 0]

INK, PAPER = "#1c2733", "#ffffff"
medium = LinearSegmentedColormap.from_list("medium", ["#123a5c", "#2f7f9e", "#9fd0c7", "#f4f1de"])
field = LinearSegmentedColormap.from_list("field", ["#0b3c6f", "#4f93c6", "#ffffff", "#e58a5b", "#9c2f16"])
plt.rcParams.update({"font.family": "DejaVu Sans", "font.size": 10, "text.color": INK, "axes.edgecolor": "#b8c2cc"})
figure, axes = plt.subplots(1, 4, figsize=(12, 3.5), facecolor=PAPER)
figure.subplots_adjust(left=0.01, right=0.99, top=0.91, bottom=0.13, wspace=0.05)
image = axes[0].imshow(speed, cmap=medium, interpolation="bicubic")
axes[0].set_title("the learned speed c(x)", fontsize=11)
bar = figure.colorbar(image, cax=axes[0].inset_axes((0.1, -0.07, 0.8, 0.03)), orientation="horizontal")
bar.outline.set_visible(False)
bar.ax.tick_params(labelsize=8, length=2)
axes[0].text(0.92, -0.075, "cells / time", transform=axes[0].transAxes, fontsize=8, va="bottom")
for axis, step in zip(axes[1:], SHOWN, strict=True):
    wave = waves[step]
    limit = 0.7 * wave.abs().max()
    axis.imshow(wave, cmap=field, vmin=-limit, vmax=limit, interpolation="bicubic")
    axis.contour(speed, levels=6, colors=INK, linewidths=0.5, alpha=0.25)
    axis.set_title(f"the wave after {step} steps", fontsize=11)
for axis in axes:
    axis.plot(TARGET[1], TARGET[0], "o", ms=11, mfc="none", mec=INK, mew=1.2)
    axis.set(xticks=[], yticks=[])
figure.savefig(Path(__file__).with_suffix(".png"), dpi=96, metadata={"Software": None})
