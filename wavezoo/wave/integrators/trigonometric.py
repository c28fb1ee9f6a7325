"""A trigonometric integrator."""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from wavezoo.wave.integrators.base import Integrator
from wavezoo.wave.scheme import Requires
from wavezoo.wave.spectral.oscillator import propagator, sinc
from wavezoo.wave.system import WaveState, WaveSystem


class Trigonometric(Integrator):
    """The mean medium propagated exactly, the deviation from it kicked: steps far beyond the bound of Verlet.

    Equation (Gautschi type; Hairer, Lubich and Wanner, Geometric Numerical Integration, XIII.2, with the filters
    ``phi = sinc`` and ``psi = sinc phi`` of García-Archilla, Sanz-Serna and Skeel 1999)::

        v½ = v + dt/2 phi (c² - m) L phi u;  (u, v½) by the exact flow of m L and gamma over dt;  the same kick again

    with m the middle between the least and the greatest c² of each sample and channel, a quadratic potential in the
    exact part, and ``phi = sinc(omega dt)`` cut off beyond ``omega dt = pi``. The middle keeps ``|c² - m| < m``, and
    the cut-off keeps sums of two frequencies of kicked modes below the resonance at ``2 pi / dt``: together they make
    the step stable for every dt and every c(x), which the filters alone do not.

    Order: 2. No stability limit. Symplectic, reversible. Two transforms a step. Needs a Laplacian with modes, and
    damping that is the same everywhere in space.
    """

    order = 2
    damped_order = 2
    symplectic = True
    reversible = True
    stability_limit = math.inf
    gamma_dt_limit = math.inf
    causal = False
    accelerations_to_start = 0
    accelerations_per_step = 0
    requires = Requires(modes=True, uniform_damping=True, exact_decay=True, quadratic_potential=True)

    def init(self, system: WaveSystem, u: Tensor, v: Tensor) -> WaveState:
        return WaveState(u, v)

    def step(self, system: WaveSystem, state: WaveState, dt: float) -> WaveState:
        modes = system.modes
        # Kept as modes: a mean velocity would gather the rounding of a pair of transforms a step, and drift away.
        u, v = state.carried or (modes.transform(state.u), modes.transform(state.v))
        u, final_velocity = self._advanced(system, state.u, u, v, dt, 1)
        v = final_velocity()
        return WaveState(modes.inverse(u), modes.inverse(v), (u, v))

    def advance(
        self, system: WaveSystem, u: Tensor, v: Tensor | None, dt: float, steps: int, velocity: bool = True
    ) -> tuple[Tensor, Tensor | None]:
        modes = system.modes
        modal_u = modes.transform(u)
        modal_v = torch.zeros_like(modal_u) if v is None else modes.transform(v)
        modal_u, final_velocity = self._advanced(system, u, modal_u, modal_v, dt, steps)
        return modes.inverse(modal_u), modes.inverse(final_velocity()) if velocity else None

    def _advanced(
        self, system: WaveSystem, like: Tensor, u: Tensor, v: Tensor, dt: float, steps: int
    ) -> tuple[Tensor, Callable[[], Tensor]]:
        """Return the modes of the displacement after ``steps`` steps, and a function that gives those of the velocity.

        Args:
            system: the medium.
            like: a field on its grid.
            u: modes of the displacement.
            v: modes of the velocity.
            dt: time step.
            steps: number of steps.
        """
        modes, axes = system.modes, tuple(range(2, u.ndim))
        least, greatest = system.speed_squared.amin(axes, True), system.speed_squared.amax(axes, True)
        mean = (least + greatest) / 2
        deviation = system.speed_squared - mean
        omega_squared = mean * -modes.eigenvalues + system.stiffness(like)
        flow = propagator(omega_squared, system.damping_rate, dt)
        theta_squared = omega_squared * dt**2
        mollifier = torch.where(theta_squared < math.pi**2, sinc(theta_squared), 0.0)
        filtered_laplacian = mollifier * modes.eigenvalues

        def kicked(v: Tensor, u: Tensor, time: float) -> Tensor:
            force = mollifier * modes.transform(deviation * modes.inverse(filtered_laplacian * u))
            return torch.add(v, force, alpha=time)

        v = kicked(v, u, dt / 2)
        for step in range(steps):
            u, v = flow.displacement(u, v), flow.velocity(u, v)
            if step < steps - 1:
                v = kicked(v, u, dt)
        return u, lambda: kicked(v, u, dt / 2)
