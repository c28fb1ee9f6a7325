"""What every integrator must do. ``build`` is called without arguments."""

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from wavezoo.testing.assertions import (
    growth,
    observed_order,
    require,
    require_batch_independent,
    require_close,
    require_copies,
    require_gradcheck,
    require_order,
)
from wavezoo.testing.problems import Problem, rough_start, varying_medium
from wavezoo.wave.damping.base import Damping
from wavezoo.wave.damping.exponential import ExponentialDamping
from wavezoo.wave.damping.midpoint import MidpointDamping
from wavezoo.wave.damping.none import NoDamping
from wavezoo.wave.integrators.base import Integrator
from wavezoo.wave.laplacians.spectral import SpectralLaplacian
from wavezoo.wave.spectral.modes import Modes
from wavezoo.wave.system import WaveState, WaveSystem

Build = Callable[[], Integrator]

# Where a scheme has no limit on omega dt or gamma dt, it is tried up to here.
LARGE = 50.0


def order_without_damping(build: Build) -> None:
    """Converges to the matrix exponential in a varying medium with the declared order."""
    integrator = build()
    require_order(convergence(integrator, NoDamping(1, 1)), integrator.order, "without damping")


def order_with_damping(build: Build) -> None:
    """Converges with the declared order when exponential damping, varying in space too, is on."""
    integrator = build()
    require_order(
        convergence(integrator, ExponentialDamping(1, 1)), integrator.damped_order, "with exponential damping"
    )


def energy_is_bounded(build: Build) -> None:
    """Where declared symplectic, 2,000 undamped steps let the weighted energy swing but not drift."""
    integrator = build()
    if not integrator.symplectic:
        return
    problem = varying_medium(NoDamping(1, 1), integrator)
    dt = 0.5 * min(integrator.stability_limit, 4.0) / problem.omega_max
    energies = torch.stack([problem.system.energy(state.u, state.v) for state in _run(integrator, problem, dt, 2000)])
    swings = (energies / energies[0] - 1).abs()
    early, late = swings[:500].max().item(), swings[-500:].max().item()
    require(
        late <= 1.5 * early + 1e-9, f"declared symplectic, but its energy error grows from {early:.2e} to {late:.2e}"
    )


def stable_just_below_its_limit(build: Build) -> None:
    """At 0.98 of the declared limit on omega dt, 2,000 steps from random values stay bounded."""
    limit = build().stability_limit
    if limit == 0:
        return
    factor = _growth(build(), LARGE if math.isinf(limit) else 0.98 * limit, 2000)
    require(factor <= 1e3, f"declared stable to omega dt = {limit:g}, but grows {factor:.1e} times just below")


def unstable_just_above_its_limit(build: Build) -> None:
    """At 1.02 of the declared limit it does blow up: the limit is not too careful."""
    limit = build().stability_limit
    if math.isinf(limit):
        return
    factor = _growth(build(), 1.02 * limit if limit else 0.3, 2000)
    require(
        factor >= 1e6, f"declared unstable beyond omega dt = {limit:g}, but grows only {factor:.1e} times just above"
    )


def stable_with_damping_below_both_limits(build: Build) -> None:
    """To 0.95 of the limit on omega dt and to its limit on gamma dt, no damped oscillator grows."""
    integrator = build()
    if integrator.stability_limit == 0:
        return
    omega_dt = torch.linspace(0.01, 0.95 * min(integrator.stability_limit, LARGE), 60, dtype=torch.float64)
    gamma_dt = torch.linspace(0.01, min(integrator.gamma_dt_limit, LARGE), 120, dtype=torch.float64)
    dampings: tuple[Damping, ...] = (ExponentialDamping(1, 1), MidpointDamping(1, 1))
    for damping in (each for each in dampings if each.exact_decay or not integrator.requires.exact_decay):
        factor = largest_amplification(integrator, damping, omega_dt, gamma_dt)
        require(factor <= 1 + 1e-9, f"a step with {type(damping).__name__} amplifies by {factor:.6f} below both limits")


def advance_is_as_many_steps(build: Build) -> None:
    """`advance` by k steps is k steps, from rest too, with and without the final velocity."""
    integrator = build()
    problem = varying_medium(ExponentialDamping(1, 1), integrator)
    for v in (problem.v, None):
        start = problem if v is not None else problem._replace(v=torch.zeros_like(problem.u))
        *_, end = _run(integrator, start, 0.2, 5)
        for velocity in (True, False):
            u, final = integrator.advance(problem.system, problem.u, v, 0.2, 5, velocity)
            require_close(u, end.u, "advance by 5 steps is not 5 steps")
            if velocity:
                require(final is not None, "advance gives no velocity")
            if final is not None:
                require_close(final, end.v, "advance by 5 steps gives another velocity than 5 steps")


def reversibility(build: Build) -> None:
    """Where declared reversible, steps of ``-dt`` lead back to the start, damped or not."""
    integrator = build()
    if not integrator.reversible:
        return
    for damping in (NoDamping(1, 1), ExponentialDamping(1, 1)):
        problem = varying_medium(damping, integrator)
        dt = 0.3 * min(integrator.stability_limit, 4.0) / problem.omega_max
        *_, end = _run(integrator, problem, dt, 50)
        back = integrator.init(problem.system, end.u, end.v)
        for _ in range(50):
            back = integrator.step(problem.system, back, -dt)
        what = f"declared reversible, but does not lead back with {type(damping).__name__}"
        require_close(back.u, problem.u, what, units=1e7)
        require_close(back.v, problem.v, what, units=1e7)


def counts_its_accelerations(build: Build) -> None:
    """A run evaluates the Laplacian as often as declared."""
    integrator = build()
    problem = varying_medium(NoDamping(1, 1), integrator)
    calls = 0

    def counted(u: Tensor) -> Tensor:
        nonlocal calls
        calls += 1
        return problem.system.laplacian(u)

    system = _like(problem.system, laplacian=counted)
    list(_run(integrator, problem._replace(system=system), 0.1, 5))
    declared = integrator.accelerations_to_start + 5 * integrator.accelerations_per_step
    require(calls == declared, f"5 steps evaluate {calls} Laplacians, declared are {declared}")


def gradcheck(build: Build) -> None:
    """The gradient through two steps is right, for state, speed and damping."""
    integrator = build()
    problem = varying_medium(ExponentialDamping(1, 1), integrator, size=6)

    def two_steps(u: Tensor, v: Tensor, speed_squared: Tensor, gamma: Tensor) -> Tensor:
        system = _like(problem.system, speed_squared=speed_squared, gamma=gamma)
        *_, end = _run(integrator, Problem(system, u, v, 1.0, problem.solution), 0.2, 2)
        return torch.cat([end.u, end.v])

    require_gradcheck(two_steps, problem.u, problem.v, problem.system.speed_squared, problem.system.gamma)


def dtype_and_device(build: Build) -> None:
    """States keep the dtype and device of the start, the meta device included."""
    integrator = build()
    problem = varying_medium(ExponentialDamping(1, 1), integrator)
    laplacian = SpectralLaplacian(1, 1)
    for dtype in (torch.float32, torch.float64):
        for device in ("cpu", "meta"):
            u, v, c2, gamma = (
                each.to(device, dtype)
                for each in (problem.u, problem.v, problem.system.speed_squared, problem.system.gamma)
            )
            system = WaveSystem(
                laplacian.bind(u),
                c2,
                ExponentialDamping(1, 1),
                gamma,
                modes=lambda: laplacian.modes(u),  # noqa: B023
            )
            *_, end = _run(integrator, Problem(system, u, v, 1.0, problem.solution), 0.1, 2)
            for part in (end.u, end.v):
                require(part.dtype == dtype, f"a {dtype} start gives a {part.dtype} state")
                require(part.device.type == device, f"a start on {device} gives a state on {part.device}")


def batch_independence(build: Build) -> None:
    """A sample's result does not depend on its batch."""
    integrator = build()
    problem = varying_medium(ExponentialDamping(1, 1), integrator)

    def run(u: Tensor) -> Tensor:
        *_, end = _run(integrator, problem._replace(u=u, v=torch.zeros_like(u)), 0.1, 3)
        return end.u

    require_batch_independent(run, (3, 1, problem.u.shape[-1]))


def copies(build: Build) -> None:
    """Deepcopy and pickle keep it."""
    problem = varying_medium(NoDamping(1, 1), build())

    def run(integrator: Integrator) -> Tensor:
        *_, end = _run(integrator, problem, 0.1, 3)
        return end.u

    require_copies(build(), run)


def largest_amplification(integrator: Integrator, damping: Damping, omega_dt: Tensor, gamma_dt: Tensor) -> float:
    """Return the largest spectral radius of one step for oscillators with every pair of frequency and damping."""
    omega, gamma = (each.reshape(-1, 1, 1) for each in torch.meshgrid(omega_dt, gamma_dt, indexing="ij"))
    modes = Modes(lambda u: u, lambda u: u, -torch.ones((), dtype=omega.dtype))
    system = WaveSystem(lambda u: -u, omega.square(), damping, gamma, modes=lambda: modes)
    one, zero = torch.ones_like(omega), torch.zeros_like(omega)
    ends = [integrator.step(system, integrator.init(system, u, v), 1.0) for u, v in ((one, zero), (zero, one))]
    matrices = torch.cat([torch.cat([end.u, end.v], 1) for end in ends], 2)
    return torch.linalg.eigvals(matrices).abs().max().item()


def convergence(integrator: Integrator, damping: Damping) -> float:
    """Return the order with which ``integrator`` converges to a matrix exponential in a varying medium."""
    problem, time = varying_medium(damping, integrator), 2.0
    u_exact, v_exact = problem.solution(time)
    counts, errors = (24, 32, 48, 64, 96), []
    for count in counts:
        *_, end = _run(integrator, problem, time / count, count)
        errors.append(((end.u - u_exact).square().sum() + (end.v - v_exact).square().sum()).sqrt().item())
    # An exact scheme has no order to fit; below this its errors are rounding.
    if max(errors) <= 1e-11:
        return math.inf
    return observed_order([time / count for count in counts], errors)


def _like(system: WaveSystem, **changes: Any) -> WaveSystem:
    """Return a system with the same medium but for ``changes``."""
    given = {
        "laplacian": system.laplacian,
        "speed_squared": system.speed_squared,
        "damping": system.damping,
        "gamma": system.gamma,
        "modes": lambda: system.modes,
    }
    return WaveSystem(**{**given, **changes})


def _run(integrator: Integrator, problem: Problem, dt: float, steps: int) -> list[WaveState]:
    state = integrator.init(problem.system, problem.u, problem.v)
    states = [state]
    for _ in range(steps):
        state = integrator.step(problem.system, state, dt)
        states.append(state)
    return states


def _growth(integrator: Integrator, omega_dt: float, steps: int) -> float:
    problem = rough_start()
    end = _run(integrator, problem, omega_dt / problem.omega_max, steps)[-1]
    return growth(problem.u, end.u)


CHECKS = [
    order_without_damping,
    order_with_damping,
    energy_is_bounded,
    stable_just_below_its_limit,
    unstable_just_above_its_limit,
    stable_with_damping_below_both_limits,
    advance_is_as_many_steps,
    reversibility,
    counts_its_accelerations,
    gradcheck,
    dtype_and_device,
    batch_independence,
    copies,
]
