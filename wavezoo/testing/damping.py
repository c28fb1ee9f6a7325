"""What every damping scheme must do. ``build`` is called as ``build(channels, ndim)``."""

import math
from collections.abc import Callable, Iterator

import torch
from torch import Tensor

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
from wavezoo.testing.problems import rough_start
from wavezoo.testing.runs import convergence, distance_moved
from wavezoo.wave.damping.base import Damping, Kick
from wavezoo.wave.integrators.velocity_verlet import VelocityVerlet
from wavezoo.wave.system import WaveState, WaveSystem

Build = Callable[[int, int], Damping]

# Where a scheme has no limit on gamma dt, it is tried up to here.
LARGE_GAMMA_DT = 50.0


def energy_never_grows(build: Build) -> None:
    """Without acceleration a damped step never speeds anything up; with it, random waves only lose energy."""
    damping = build(1, 1)
    v = random_input((1, 1, 64))
    limit = min(damping.gamma_dt_limit, LARGE_GAMMA_DT)
    gamma = torch.linspace(0, limit, 64, dtype=torch.float64)
    after = _step(damping, v, torch.zeros_like(v), gamma, 1.0)
    require((after.abs() <= v.abs()).all(), "a kick without acceleration increases the speed")
    for gamma_dt in (0.001, 0.01, 0.1):
        energies = torch.stack(
            [system.energy(state.u, state.v) for system, state in _run(damping, 0.05, gamma_dt, 500)]
        )
        gain = (energies / energies.cummin(0).values).max().item()
        # The energy of a step swings by (omega dt)² / 8, and by gamma dt / 4 where the damping is first order.
        require(gain <= 1.03, f"random waves gain energy, {gain:.3f} times, at gamma dt = {gamma_dt:g}")
        if damping.uses_gamma:
            require((energies[-1] < energies[0]).all(), f"no energy is lost at gamma dt = {gamma_dt:g}")


def stability_factor_is_honest(build: Build) -> None:
    """Below ``stability_factor`` times the limit of velocity Verlet, no gamma makes random waves grow."""
    damping = build(1, 1)
    limit = min(damping.gamma_dt_limit, LARGE_GAMMA_DT)
    gamma_dt = torch.linspace(0.02, 0.98, 25, dtype=torch.float64) * limit
    factor = _growth(damping, 0.98 * damping.stability_factor, gamma_dt.view(-1, 1, 1), 1000)
    require(factor <= 1e3, f"unstable at some gamma dt below {limit:.3g}: grows {factor:.1e} times")


def unstable_beyond_its_gamma_limit(build: Build) -> None:
    """Beyond a finite ``gamma_dt_limit`` waves do blow up: the limit is not too careful."""
    damping = build(1, 1)
    if math.isinf(damping.gamma_dt_limit):
        return
    factor = _growth(damping, 0.1, 1.02 * damping.gamma_dt_limit, 2000)
    require(
        factor >= 1e6, f"declared unstable beyond gamma dt = {damping.gamma_dt_limit:g}, but grows only {factor:.1e}"
    )


def overdamped_waves_move_as_they_should(build: Build) -> None:
    """Where it is of second order, four steps of velocity Verlet move a damped wave as far as the equation, to 6 %."""
    damping = build(1, 1)
    if damping.order < 2 or not damping.uses_gamma:
        return
    for gamma_dt in (0.01, 0.1, 0.5, 1.0, 2.0, 5.0, 10.0, 100.0):
        if gamma_dt <= damping.gamma_dt_limit:
            ratio = distance_moved(VelocityVerlet(), damping, gamma_dt)
            require(abs(ratio - 1) <= 0.06, f"at gamma dt = {gamma_dt:g} a wave moves {ratio:.3g} times as far")


def zero_damping_is_none(build: Build) -> None:
    """With gamma = 0 both kicks are ``v + dt a``, and the rate is zero."""
    damping = build(1, 1)
    v, a = random_input((2, 3, 8)), random_input((2, 3, 8), seed=1)
    zero = torch.zeros(1, 3, 1, dtype=torch.float64)
    expected = v + 0.3 * a
    for kick in (damping.opening(zero, 0.3), damping.closing(zero, 0.3)):
        require_close(_kicked(v, a, kick), expected, "damping of zero changes a kick", units=4)
    require(not _rate(damping, zero).any(), "damping of zero has a rate")


def rate_is_proportional_to_gamma(build: Build) -> None:
    """Where it reads gamma, the rate is positive and proportional to it, and a short kick follows it."""
    damping = build(1, 1)
    if not damping.uses_gamma:
        return
    v, gamma = random_input((2, 3, 8)), random_input((1, 3, 8), seed=1).abs()
    rate = _rate(damping, gamma)
    require((rate > 0).all(), "the rate is not positive")
    require_close(_rate(damping, 3 * gamma), 3 * rate, "the rate is not proportional to gamma", units=4)
    dt = 1e-6
    for kick in (damping.opening(rate, dt), damping.closing(rate, dt)):
        kicked = _kicked(v, torch.zeros_like(v), kick)
        require_close((kicked - v) / dt, -rate * v, "a short kick does not follow the rate", units=1e11)


def exact_where_declared(build: Build) -> None:
    """A kick without acceleration is the exact decay where declared, and only there."""
    damping = build(1, 1)
    v, gamma = random_input((2, 3, 8)), random_input((1, 3, 8), seed=1).abs()
    exact = v * torch.exp(-gamma * 0.7) if damping.uses_gamma else v
    for kick in (damping.opening(gamma, 0.7), damping.closing(gamma, 0.7)):
        found = torch.allclose(_kicked(v, torch.zeros_like(v), kick), exact)
        require(found == damping.exact_decay, f"exact_decay is {damping.exact_decay}, observed {found}")


def order(build: Build) -> None:
    """Velocity Verlet with it converges to the matrix exponential with the lesser of both orders."""
    damping = build(1, 1)
    require_order(convergence(VelocityVerlet(), damping), min(2, damping.order), "with velocity Verlet")


def reversibility(build: Build) -> None:
    """Where declared reversible, a closing kick of ``-dt`` undoes an opening one of ``dt``, and the reverse."""
    damping = build(1, 1)
    if not damping.reversible:
        return
    v, a, gamma = random_input((2, 3, 8)), random_input((2, 3, 8), seed=1), random_input((1, 3, 8), seed=2).abs()
    for there, back in ((damping.opening, damping.closing), (damping.closing, damping.opening)):
        kicked = _kicked(v, a, there(gamma, 0.3))
        require_close(_kicked(kicked, a, back(gamma, -0.3)), v, "declared reversible, but does not lead back")


def gradcheck(build: Build) -> None:
    """The gradient is right, for velocity, acceleration and gamma."""
    damping = build(1, 1)

    def step(v: Tensor, a: Tensor, gamma: Tensor) -> Tensor:
        return _step(damping, v, a, gamma, 0.5) + _rate(damping, gamma) * v

    inputs = random_input((1, 2, 4)), random_input((1, 2, 4), seed=1), random_input((1, 2, 4), seed=2).abs()
    require_gradcheck(step, *inputs)


def dtype_and_device(build: Build) -> None:
    """Dtype and device are those of the velocity, the meta device included."""
    for dtype in (torch.float32, torch.float64):
        for device in ("cpu", "meta"):
            v = random_input((2, 3, 8), dtype).to(device)
            damping = build(1, 1).to(device)
            for result in (_step(damping, v, v, v.abs(), 0.5), _rate(damping, v.abs())):
                require(result.dtype == dtype, f"a {dtype} velocity gives {result.dtype}")
                require(result.device.type == device, f"a velocity on {device} gives one on {result.device}")


def batch_independence(build: Build) -> None:
    """A sample's result does not depend on its batch."""
    damping = build(1, 1)
    require_batch_independent(lambda v: _step(damping, v, v, v.abs(), 0.5), (3, 2, 8))


def copies(build: Build) -> None:
    """Deepcopy and pickle keep it."""
    v = random_input((2, 3, 8))
    require_copies(build(3, 1), lambda damping: _step(damping, v, v, v.abs(), 0.5))


def _rate(damping: Damping, gamma: Tensor) -> Tensor:
    """Return the rate, for an eigenvalue of -1 where it depends on the mode."""
    return damping.rate(gamma, -torch.ones_like(gamma) if damping.in_modes else None)


def _step(damping: Damping, v: Tensor, a: Tensor, gamma: Tensor, dt: float) -> Tensor:
    return _kicked(_kicked(v, a, damping.opening(gamma, dt / 2)), a, damping.closing(gamma, dt / 2))


def _kicked(v: Tensor, a: Tensor, kick: Kick) -> Tensor:
    return (v if kick.decay is None else kick.decay * v) + kick.push * a


def _growth(damping: Damping, fraction_of_limit: float, gamma_dt: Tensor | float, steps: int) -> float:
    """Return by what factor random waves grow, at a fraction of the undamped stability limit of velocity Verlet."""
    (_, start), *_, (_, end) = _run(damping, fraction_of_limit, gamma_dt, steps)
    return growth(start.u, end.u)


def _run(
    damping: Damping, fraction_of_limit: float, gamma_dt: Tensor | float, steps: int
) -> Iterator[tuple[WaveSystem, WaveState]]:
    integrator, start = VelocityVerlet(), rough_start()
    dt_per_time = fraction_of_limit * integrator.stability_limit / start.omega_max
    speed_squared = start.u.new_full((1, 1, 1), dt_per_time**2)
    gamma = gamma_dt if isinstance(gamma_dt, Tensor) else start.u.new_full((1, 1, 1), gamma_dt)
    start = start._replace(u=start.u.expand(len(gamma), -1, -1))
    system = WaveSystem(start.system.laplacian, speed_squared, damping, gamma, modes=lambda: start.system.modes)
    state = integrator.init(system, start.u, start.v * dt_per_time)
    yield system, state
    for _ in range(steps):
        state = integrator.step(system, state, 1.0)
        yield system, state


CHECKS = [
    energy_never_grows,
    stability_factor_is_honest,
    unstable_beyond_its_gamma_limit,
    overdamped_waves_move_as_they_should,
    zero_damping_is_none,
    rate_is_proportional_to_gamma,
    exact_where_declared,
    order,
    reversibility,
    gradcheck,
    dtype_and_device,
    batch_independence,
    copies,
]
