"""The closed-form solution."""

import math

from torch import Tensor

from wavezoo.wave.integrators.base import Integrator
from wavezoo.wave.layout import laid_out_like
from wavezoo.wave.scheme import Requires
from wavezoo.wave.spectral.oscillator import Propagator, propagator
from wavezoo.wave.system import WaveState, WaveSystem


class Exact(Integrator):
    """Every mode by its closed form: exact for any time, at the cost of one pair of transforms whatever the steps.

    Equation: each mode of the Laplacian is a damped oscillator with ``omega² = c² |k|²`` (plus the stiffness of a
    quadratic potential) and ``gamma``, whose solution is known, oscillating, critical or overdamped.

    Order: infinite. No stability limit: waves may travel across the whole grid in one layer. Symplectic, reversible,
    though what has decayed far is lost in rounding. Needs a Laplacian with modes, and a medium that is the same
    everywhere in space.
    """

    order = math.inf
    damped_order = math.inf
    symplectic = True
    reversible = True
    stability_limit = math.inf
    gamma_dt_limit = math.inf
    closed_form = True
    causal = False
    accelerations_to_start = 0
    accelerations_per_step = 0
    requires = Requires(
        modes=True, uniform_speed=True, uniform_damping=True, exact_decay=True, quadratic_potential=True
    )

    def init(self, system: WaveSystem, u: Tensor, v: Tensor) -> WaveState:
        return WaveState(u, v)

    def step(self, system: WaveSystem, state: WaveState, dt: float) -> WaveState:
        modes = system.modes
        exact = self.propagator(system, state.u, dt)
        # Kept as modes: a mean velocity would gather the rounding of a pair of transforms a step, and drift away.
        u, v = state.carried or (modes.transform(state.u), modes.transform(state.v))
        u, v = exact.displacement(u, v), exact.velocity(u, v)
        return WaveState(modes.inverse(u), modes.inverse(v), (u, v))

    def advance(
        self, system: WaveSystem, u: Tensor, v: Tensor | None, dt: float, steps: int, velocity: bool = True
    ) -> tuple[Tensor, Tensor | None]:
        modes, time, moving = system.modes, dt * steps, v is not None
        # Of the displacement and, if there is one, the velocity at the start; and the same for the velocity at the end.
        to_u, to_v = system.remembered(
            ("exact", time, moving, velocity), lambda: self._maps(system, u, time, moving, velocity)
        )
        modal = [modes.transform(each) for each in (u, v) if each is not None]
        return modes.inverse(_summed(to_u, modal)), modes.inverse(_summed(to_v, modal)) if velocity else None

    def _maps(
        self, system: WaveSystem, u: Tensor, time: float, moving: bool, velocity: bool
    ) -> tuple[list[Tensor], list[Tensor]]:
        exact = self.propagator(system, u, time)
        to_u = [exact.uu, exact.uv] if moving else [exact.uu]
        return to_u, ([exact.vu, exact.vv] if moving else [exact.vu]) if velocity else []

    def omega_squared(self, system: WaveSystem, u: Tensor) -> Tensor:
        return system.speed_squared * -system.modes.eigenvalues + system.stiffness(u)

    def propagator(self, system: WaveSystem, u: Tensor, time: float) -> Propagator:
        """Return what a time does to modes of fields like ``u``."""
        return propagator(laid_out_like(self.omega_squared(system, u), u), system.damping_rate, time)


def _summed(coefficients: list[Tensor], modal: list[Tensor]) -> Tensor:
    first, *others = (coefficient * each for coefficient, each in zip(coefficients, modal, strict=True))
    return sum(others, first)
