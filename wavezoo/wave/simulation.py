"""Runs of a wave, recorded for analysis.

Shapes: B batch, C channels, ``*G`` grid, ``(N,)`` or ``(H, W)``; T recorded times.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from wavezoo.wave.integrators.base import Integrator
from wavezoo.wave.laplacians.base import Laplacian
from wavezoo.wave.stability import omega_dt_squared
from wavezoo.wave.system import WaveSystem


class Trajectory(NamedTuple):
    """What `WaveOperator.simulate` records.

    Attributes:
        times: ``(T,)``, in steps.
        displacement: ``(T, B, C, *G)``.
        velocity: ``(T, B, C, *G)``, in displacement per step.
        energy: ``(T, B)``, weighted by 1/c².
        courant: largest Courant number of each sample, ``(B,)``, in cells per step.
        courant_limit: the largest stable Courant number of each channel, ``(C,)``.
        margin: what is left to the stability bound, ``1 - omega dt / limit`` at the cell and the step where it is
            least, recorded or not, potentials included, ``(B,)``; negative beyond the bound, 1 where there is none.
    """

    times: Tensor
    displacement: Tensor
    velocity: Tensor
    energy: Tensor
    courant: Tensor
    courant_limit: Tensor
    margin: Tensor

    @property
    def wecs(self) -> Tensor:
        """The weighted energy conservation score ``E(tau) / E(0)`` of each sample, ``(B,)`` (Vejendla 2025).

        1 where there is no energy at the start nor at the end.
        """
        return torch.where(self.energy[-1] == self.energy[0], 1.0, self.energy[-1] / self.energy[0])


class Run(NamedTuple):
    """A run of a wave.

    Attributes:
        times: ``(T,)``, in steps.
        displacement: ``(T, B, C, *G)``.
        velocity: ``(T, B, C, *G)``.
        energy: ``(T, B)``.
        largest: the largest ``omega dt`` of each sample over all steps, ``(B,)``.
    """

    times: Tensor
    displacement: Tensor
    velocity: Tensor
    energy: Tensor
    largest: Tensor


def run(
    system: WaveSystem,
    integrator: Integrator,
    laplacian: Laplacian,
    u: Tensor,
    v: Tensor | None,
    steps: int,
    every: int,
) -> Run:
    """Take ``steps`` steps of length 1 from ``u`` and ``v``, both ``(B, C, *G)``, and record every ``every``-th.

    Args:
        system: the medium.
        integrator: the integrator.
        laplacian: the Laplacian of the medium.
        u: displacement.
        v: velocity, None for rest.
        steps: number of steps.
        every: distance of the records, in steps.
    """
    v = torch.zeros_like(u) if v is None else v
    state = integrator.init(system, u, v)
    records = [(torch.tensor(0), u, v, system.energy(u, v))]
    largest = omega_dt_squared(system, u, laplacian).flatten(1).amax(1)
    changes = system.potential is not None and not system.potential.bounded_stiffness
    for step in range(1, steps + 1):
        state = integrator.step(system, state, 1.0)
        if changes:
            largest = torch.maximum(largest, omega_dt_squared(system, state.u, laplacian).flatten(1).amax(1))
        if step % every == 0:
            records.append((torch.tensor(step), state.u, state.v, system.energy(state.u, state.v)))
    times, displacement, velocity, energy = (torch.stack(column) for column in zip(*records, strict=True))
    return Run(times, displacement, velocity, energy, largest.sqrt())
