"""Draws energy.png: the energy of an undamped wave by integrators of five kinds.

python docs/figures/energy.py
"""

from pathlib import Path

import matplotlib.pyplot as plt
import torch

import wavezoo

COLOURS = {
    "velocity_verlet": "#2f7f9e",
    "symplectic_euler": "#e58a5b",
    "yoshida4": "#123a5c",
    "rk4": "#8a6fb3",
    "explicit_euler": "#9c2f16",
}

torch.manual_seed(0)
start = torch.randn(1, 1, 64)
figure, axis = plt.subplots(figsize=(8, 3), layout="constrained")
for name, colour in COLOURS.items():
    operator = wavezoo.create_operator(
        1, 1, integrator=name, damping="none", speed={"name": "constant", "initial": 0.7}, dt=0.5, courant_guard="off"
    ).double()
    with torch.no_grad():
        run = operator.simulate(start.double(), steps=400)
    axis.plot(run.times, run.energy[:, 0] / run.energy[0, 0], color=colour, label=name, linewidth=1.3)
axis.set(ylim=(0.4, 1.8), xlim=(0, 400), xlabel="step", ylabel="energy / energy at the start")
axis.spines[["top", "right"]].set_visible(False)
axis.legend(frameon=False, fontsize=9, ncols=5, loc="upper center")
figure.savefig(Path(__file__).with_suffix(".png"), dpi=90, metadata={"Software": None})
