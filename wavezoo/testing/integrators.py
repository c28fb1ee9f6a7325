"""What every integrator must do. ``build`` is called without arguments."""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from wavezoo.testing.adjoints import gradient_of_advance
from wavezoo.testing.assertions import (
    growth,
    random_input,
    require,
    require_batch_independent,
    require_close,
    require_copies,
    require_gradcheck,
    require_order,
)
from wavezoo.testing.causality import check_causal
from wavezoo.testing.problems import Problem, rough_start, varying_medium
from wavezoo.testing.runs import convergence, distance_moved, largest_amplification, like, run
from wavezoo.wave.damping.base import Damping
from wavezoo.wave.damping.exponential import ExponentialDamping
from wavezoo.wave.damping.midpoint import MidpointDamping
from wavezoo.wave.damping.none import NoDamping
from wavezoo.wave.damping.viscous import ViscousDamping
from wavezoo.wave.integrators.base import Integrator
from wavezoo.wave.laplacians.spectral import SpectralLaplacian
from wavezoo.wave.potentials.klein_gordon import KleinGordonPotential
from wavezoo.wave.spectral.modes import Modes
from wavezoo.wave.system import WaveSystem

Build = Callable[[], Integrator]

# Where a scheme has no limit on omega dt or gamma dt, it is tried up to here.
LARGE = 50.0

OVERDAMPED = (0.01, 0.1, 0.5, 1.0, 2.0, 5.0, 10.0, 100.0)


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
    """Where declared symplectic, 1,000 undamped steps let the weighted energy swing but not drift."""
    integrator = build()
    if not integrator.symplectic:
        return
    problem = varying_medium(NoDamping(1, 1), integrator)
    dt = 0.5 * min(integrator.stability_limit, 4.0) / problem.omega_max
    energies = torch.stack([problem.system.energy(state.u, state.v) for state in run(integrator, problem, dt, 1000)])
    swings = (energies / energies[0] - 1).abs()
    early, late = swings[:300].max().item(), swings[-300:].max().item()
    require(
        late <= 1.5 * early + 1e-9, f"declared symplectic, but its energy error grows from {early:.2e} to {late:.2e}"
    )


def stable_just_below_its_limit(build: Build) -> None:
    """To 0.98 of the declared limit on omega dt, no oscillator grows; bands are looked for as narrow as 1e-4."""
    limit = build().stability_limit
    if limit == 0:
        return
    omega_dt = torch.linspace(0, LARGE if math.isinf(limit) else 0.98 * limit, 20_000, dtype=torch.float64)[1:]
    factor = largest_amplification(build(), NoDamping(1, 1), omega_dt, torch.zeros(1, dtype=torch.float64))
    # Eigenvalues that meet on the unit circle are known to the root of a rounding error.
    require(factor <= 1 + 1e-6, f"declared stable to omega dt = {limit:g}, but a step amplifies by {factor:.6f} below")


def unstable_just_above_its_limit(build: Build) -> None:
    """Somewhere between the declared limit and 1.02 of it an oscillator does grow: the limit is not too careful."""
    limit = build().stability_limit
    if math.isinf(limit):
        return
    omega_dt = torch.linspace(limit, 1.02 * limit if limit else 0.3, 5_000, dtype=torch.float64)
    factor = largest_amplification(build(), NoDamping(1, 1), omega_dt, torch.zeros(1, dtype=torch.float64))
    require(factor >= 1 + 1e-5, f"declared unstable beyond omega dt = {limit:g}, but nothing grows just above")


def stable_with_damping_below_both_limits(build: Build) -> None:
    """To 0.95 of the limit on omega dt and to its limit on gamma dt, no damped oscillator grows."""
    integrator = build()
    if integrator.stability_limit == 0:
        return
    omega_dt = torch.linspace(0.01, 0.95 * min(integrator.stability_limit, LARGE), 60, dtype=torch.float64)
    gamma_dt = torch.linspace(0.01, min(integrator.gamma_dt_limit, LARGE), 120, dtype=torch.float64)
    for damping in _dampings(integrator):
        factor = largest_amplification(integrator, damping, omega_dt, gamma_dt)
        require(factor <= 1 + 1e-9, f"a step with {type(damping).__name__} amplifies by {factor:.6f} below both limits")


def stable_in_media_that_alternate(build: Build) -> None:
    """Speed and damping that jump from cell to cell, up to both limits, let no wave grow in 400 steps."""
    integrator = build()
    if integrator.stability_limit == 0:
        return
    i, start = torch.arange(12), rough_start(12)
    patterns = torch.stack([torch.ones(12), i % 2 == 0, i % 3 == 0, i < 6]).double()
    speeds = 0.95 * min(integrator.stability_limit, LARGE) / start.omega_max * (0.2 + 0.8 * patterns)
    dampings = min(integrator.gamma_dt_limit, LARGE) * torch.cat([patterns, 0.3 * patterns])
    c, gamma = (each.reshape(-1, 1, 12) for each in torch.broadcast_tensors(speeds[:, None], dampings[None]))
    c = c[..., :1] if integrator.requires.uniform_speed else c
    gamma = gamma[..., :1] if integrator.requires.uniform_damping else gamma
    u = start.u.expand(32, 1, 12)
    for damping in _dampings(integrator):
        system = like(start.system, speed_squared=c.square(), gamma=gamma, damping=damping)
        end = run(integrator, start._replace(system=system, u=u, v=torch.zeros_like(u)), 1.0, 400)[-1]
        name = type(damping).__name__
        require(growth(u, end.u) <= 50, f"waves grow in a medium that alternates from cell to cell, with {name}")


def overdamped_waves_move_as_they_should(build: Build) -> None:
    """With gamma dt up to its limit, four steps from rest move a wave as far as the equation does, to 6 %."""
    integrator = build()
    if integrator.order < 2:
        return
    for gamma_dt in (each for each in OVERDAMPED if each <= integrator.gamma_dt_limit):
        for damping in _dampings(integrator):
            ratio = distance_moved(integrator, damping, gamma_dt)
            name = type(damping).__name__
            require(abs(ratio - 1) <= 0.06, f"at gamma dt = {gamma_dt:g} it moves {ratio:.3g} times as far with {name}")


def obeys_a_potential(build: Build) -> None:
    """A field that is the same everywhere swings in a quadratic potential as a spring does."""
    integrator = build()
    mass, dt, steps = 1.3, 0.02, 60
    potential = KleinGordonPotential(1, 1, mass=mass).double()
    problem = varying_medium(NoDamping(1, 1), integrator, size=8)
    u = torch.ones_like(problem.u)
    system = like(problem.system, potential=potential)
    end = run(integrator, problem._replace(system=system, u=u, v=torch.zeros_like(u)), dt, steps)[-1]
    difference = (end.u - math.cos(mass * dt * steps)).abs().max().item()
    require(difference <= 0.05, f"a spring's displacement is off by {difference:.3f} of its amplitude")


def obeys_damping_of_modes(build: Build) -> None:
    """Damping that acts on every mode of the Laplacian by itself does so, as the matrix exponential says."""
    integrator = build()
    problem, time, steps = varying_medium(ViscousDamping(1, 1), integrator), 1.0, 50
    u, _ = problem.solution(time)
    end = run(integrator, problem, time / steps, steps)[-1]
    difference = ((end.u - u).abs().max() / u.abs().max()).item()
    require(difference <= 0.05, f"waves whose modes are damped by themselves are off by {difference:.3f}")


def causal_where_declared(build: Build) -> None:
    """Where declared, and where the Laplacian is causal, no displacement depends on later ones."""
    integrator = build()
    if not integrator.causal:
        return
    one = torch.ones(1, dtype=torch.float64)
    modes = Modes(lambda u: u, lambda u: u, -one)

    def two_steps(u: Tensor) -> Tensor:
        system = WaveSystem(lambda u: -u, one / 4, ExponentialDamping(1, 1), one / 4, modes=lambda: modes)
        return integrator.advance(system, u, None, 1.0, 2, False)[0]

    check_causal(two_steps, random_input((1, 1, 9)))


def advance_is_as_many_steps(build: Build) -> None:
    """`advance` by k steps is k steps, from rest too, with and without the final velocity."""
    integrator = build()
    problem = varying_medium(ExponentialDamping(1, 1), integrator)
    for v in (problem.v, None):
        start = problem if v is not None else problem._replace(v=torch.zeros_like(problem.u))
        *_, end = run(integrator, start, 0.2, 5)
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
        *_, end = run(integrator, problem, dt, 50)
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

    system = like(problem.system, laplacian=counted)
    list(run(integrator, problem._replace(system=system), 0.1, 5))
    declared = integrator.accelerations_to_start + 5 * integrator.accelerations_per_step
    require(calls == declared, f"5 steps evaluate {calls} Laplacians, declared are {declared}")


def gradcheck(build: Build) -> None:
    """The gradient through two steps is right, for state, speed and damping."""
    integrator = build()
    problem = varying_medium(ExponentialDamping(1, 1), integrator, size=6)

    def two_steps(u: Tensor, v: Tensor, speed_squared: Tensor, gamma: Tensor) -> Tensor:
        system = like(problem.system, speed_squared=speed_squared, gamma=gamma)
        *_, end = run(integrator, Problem(system, u, v, 1.0, problem.solution), 0.2, 2)
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
            *_, end = run(integrator, Problem(system, u, v, 1.0, problem.solution), 0.1, 2)
            for part in (end.u, end.v):
                require(part.dtype == dtype, f"a {dtype} start gives a {part.dtype} state")
                require(part.device.type == device, f"a start on {device} gives a state on {part.device}")


def batch_independence(build: Build) -> None:
    """A sample's result does not depend on its batch."""
    integrator = build()
    problem = varying_medium(ExponentialDamping(1, 1), integrator)

    def displacement(u: Tensor) -> Tensor:
        *_, end = run(integrator, problem._replace(u=u, v=torch.zeros_like(u)), 0.1, 3)
        return end.u

    require_batch_independent(displacement, (3, 1, problem.u.shape[-1]))


def copies(build: Build) -> None:
    """Deepcopy and pickle keep it."""
    problem = varying_medium(NoDamping(1, 1), build())

    def displacement(integrator: Integrator) -> Tensor:
        *_, end = run(integrator, problem, 0.1, 3)
        return end.u

    require_copies(build(), displacement)


def _dampings(integrator: Integrator) -> list[Damping]:
    """Return the dampings that `gamma_dt_limit` speaks of, where it takes them."""
    dampings: tuple[Damping, ...] = (ExponentialDamping(1, 1), MidpointDamping(1, 1))
    return [each for each in dampings if each.exact_decay or not integrator.requires.exact_decay]


CHECKS = [
    order_without_damping,
    order_with_damping,
    energy_is_bounded,
    stable_just_below_its_limit,
    unstable_just_above_its_limit,
    stable_with_damping_below_both_limits,
    stable_in_media_that_alternate,
    overdamped_waves_move_as_they_should,
    obeys_a_potential,
    obeys_damping_of_modes,
    causal_where_declared,
    advance_is_as_many_steps,
    reversibility,
    counts_its_accelerations,
    gradcheck,
    gradient_of_advance,
    dtype_and_device,
    batch_independence,
    copies,
]
