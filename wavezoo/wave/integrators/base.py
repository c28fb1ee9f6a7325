"""The contract of integrators.

Shapes: B batch, C channels, ``*G`` grid, ``(N,)`` or ``(H, W)``; channels first. The grid spacing is one cell; times
are in whatever unit ``dt`` is in, speeds in cells per that unit, damping in its inverse.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence

import torch
from torch import Tensor

from wavezoo.wave.scheme import Scheme
from wavezoo.wave.splitting import Stage, advanced
from wavezoo.wave.system import WaveState, WaveSystem


class Integrator(Scheme, ABC):
    """A one-step method for a `WaveSystem`.

    Attributes:
        order: order of accuracy in ``dt`` without damping; infinite for an exact one.
        damped_order: the same with ``exponential`` damping.
        symplectic: whether the energy stays bounded, without drift, below the stability limit.
        reversible: whether a step of ``-dt`` undoes a step of ``dt``.
        stability_limit: the largest stable ``omega * dt`` without damping; 0 for never stable, infinite for no limit.
        gamma_dt_limit: a ``gamma * dt`` up to which ``exponential`` and ``midpoint`` damping leave it stable for every
            ``omega * dt`` up to 0.95 of ``stability_limit``; infinite for no limit.
        accelerations_to_start: how often `init` evaluates the acceleration.
        accelerations_per_step: how often `step` does.
        closed_form: whether any number of steps is one, through modes that it keeps to; then it has `omega_squared`.
        causal: whether it is where the Laplacian is: whether it asks no more of it than to be applied.
    """

    order: float
    damped_order: float
    symplectic: bool
    reversible: bool
    stability_limit: float
    gamma_dt_limit: float
    accelerations_to_start: int
    accelerations_per_step: int
    closed_form: bool = False
    causal: bool = True

    @abstractmethod
    def init(self, system: WaveSystem, u: Tensor, v: Tensor) -> WaveState:
        """Return the state at displacement ``u`` and velocity ``v``."""

    @abstractmethod
    def step(self, system: WaveSystem, state: WaveState, dt: float) -> WaveState:
        """Return the state a time ``dt`` later; ``dt`` may be negative."""

    def stages(self, dt: float, steps: int, velocity: bool = True) -> Sequence[Stage] | None:
        """Return a run of ``steps`` steps as kicks and drifts; None, by default, where it is more than that.

        From these `advance` is made, with a gradient that takes one Laplacian a kick and keeps little.

        Args:
            dt: time step.
            steps: number of steps, at least 1.
            velocity: whether the final velocity is wanted.
        """
        return None

    def omega_squared(self, system: WaveSystem, u: Tensor) -> Tensor:
        """Return omega² of modes of fields like ``u``, in 1 / time²; one that declares ``closed_form`` overrides this.

        Raises:
            NotImplementedError: if the integrator goes step by step.
        """
        raise NotImplementedError(f"{type(self).__name__} goes step by step.")

    def advance(
        self, system: WaveSystem, u: Tensor, v: Tensor | None, dt: float, steps: int, velocity: bool = True
    ) -> tuple[Tensor, Tensor | None]:
        """Return displacement and velocity after ``steps`` steps.

        By way of its `stages`, or one step after the other; a scheme that can do the same for less overrides this.

        Args:
            system: the medium.
            u: displacement, ``(B, C, *G)``.
            v: velocity, likewise; None for a field at rest.
            dt: time step.
            steps: number of steps, at least 1.
            velocity: whether the final velocity is wanted; without, None may stand in its place.
        """
        if stages := self.stages(dt, steps, velocity):
            return advanced(system, u, v, stages, velocity)
        state = self.init(system, u, torch.zeros_like(u) if v is None else v)
        for _ in range(steps):
            state = self.step(system, state, dt)
        return state.u, state.v
