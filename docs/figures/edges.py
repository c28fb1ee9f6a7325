"""Draws edges.png: a pulse on a line between edges of four kinds.

python docs/figures/edges.py
"""

from pathlib import Path

import matplotlib.pyplot as plt
import torch
from matplotlib.colors import LinearSegmentedColormap

import wavezoo

SIZE, STEPS = 128, 520
KINDS = {
    "periodic": {"laplacian": "spectral"},
    "reflecting": {"laplacian": "cosine"},
    "zero": {"laplacian": "sine"},
    "absorbing": {
        "laplacian": "spectral",
        "damping": "midpoint",
        "damping_field": {"name": "sponge", "initial": 1e-4, "strength": 0.2, "width": 0.3},
    },
}

pulse = torch.exp(-((torch.arange(SIZE) - 48.0) ** 2) / (2 * 3.0**2)).view(1, 1, SIZE)
medium = {"speed": {"name": "constant", "initial": 0.8}, "damping": "none", "dt": 0.5}

INK = "#1c2733"
field = LinearSegmentedColormap.from_list("field", ["#0b3c6f", "#4f93c6", "#ffffff", "#e58a5b", "#9c2f16"])
plt.rcParams.update({"font.size": 10, "text.color": INK, "axes.labelcolor": INK, "axes.edgecolor": "#b8c2cc"})
figure, axes = plt.subplots(1, 4, figsize=(11, 3.3), sharey=True, layout="constrained")
for axis, (name, choices) in zip(axes, KINDS.items(), strict=True):
    operator = wavezoo.create_operator(1, 1, **{**medium, **choices})
    with torch.no_grad():
        waves = operator.simulate(pulse, steps=STEPS).displacement[:, 0, 0]
    axis.imshow(waves, cmap=field, vmin=-0.6, vmax=0.6, aspect="auto", origin="lower", interpolation="bilinear")
    axis.set_title(name, fontsize=11)
    axis.set_xticks([])
    axis.set_xlabel("position")
axes[0].set_ylabel("step")
figure.savefig(Path(__file__).with_suffix(".png"), dpi=90, metadata={"Software": None})
