"""Integrators at work, and what they do to waves, measured."""

import math
from typing import Any

import torch
from torch import Tensor

from wavezoo.testing.assertions import observed_order
from wavezoo.testing.problems import Problem, varying_medium
from wavezoo.wave.analysis import step_matrices
from wavezoo.wave.damping.base import Damping
from wavezoo.wave.integrators.base import Integrator
from wavezoo.wave.laplacians.spectral import SpectralLaplacian
from wavezoo.wave.spectral.oscillator import propagator
from wavezoo.wave.system import WaveState, WaveSystem


def largest_amplification(integrator: Integrator, damping: Damping, omega_dt: Tensor, gamma_dt: Tensor) -> float:
    """Return the largest spectral radius of one step for oscillators with every pair of frequency and damping."""
    omega, gamma = (each.flatten() for each in torch.meshgrid(omega_dt, gamma_dt, indexing="ij"))
    return torch.linalg.eigvals(step_matrices(integrator, damping, omega.square(), gamma)).abs().max().item()


def convergence(integrator: Integrator, damping: Damping) -> float:
    """Return the order with which ``integrator`` converges to a matrix exponential in a varying medium."""
    problem, time = varying_medium(damping, integrator), 2.0
    u_exact, v_exact = problem.solution(time)
    counts, errors = (24, 32, 48, 64, 96), []
    for count in counts:
        *_, end = run(integrator, problem, time / count, count)
        errors.append(((end.u - u_exact).square().sum() + (end.v - v_exact).square().sum()).sqrt().item())
    # An exact scheme has no order to fit; below this its errors are rounding.
    if max(errors) <= 1e-11:
        return math.inf
    return observed_order([time / count for count in counts], errors)


def like(system: WaveSystem, **changes: Any) -> WaveSystem:
    """Return a system with the same medium but for ``changes``."""
    given = {
        "laplacian": system.laplacian,
        "speed_squared": system.speed_squared,
        "damping": system.damping,
        "gamma": system.gamma,
        "modes": lambda: system.modes,
        "transposed": system.transposed,
    }
    return WaveSystem(**{**given, **changes})


def run(integrator: Integrator, problem: Problem, dt: float, steps: int) -> list[WaveState]:
    """Return the states of a run, the start included."""
    state = integrator.init(problem.system, problem.u, problem.v)
    states = [state]
    for _ in range(steps):
        state = integrator.step(problem.system, state, dt)
        states.append(state)
    return states


def distance_moved(integrator: Integrator, damping: Damping, gamma_dt: float, steps: int = 4) -> float:
    """Return how far a wave moves from rest, over how far it should: its first mode, at a Courant number of 0.3."""
    laplacian, mode = SpectralLaplacian(1, 1), torch.arange(16, dtype=torch.float64) * (2 * math.pi / 16)
    u = mode.cos().view(1, 1, -1)
    eigenvalue = torch.full((1, 1, 1), -((2 * math.pi / 16) ** 2), dtype=torch.float64)
    speed_squared, gamma = (torch.full_like(eigenvalue, value) for value in (0.09, gamma_dt))
    system = WaveSystem(laplacian.bind(u), speed_squared, damping, gamma, modes=lambda: laplacian.modes(u))
    end, _ = integrator.advance(system, u, None, 1.0, steps)
    rate = damping.rate(gamma, eigenvalue if damping.in_modes else None)
    should = propagator(speed_squared * -eigenvalue, rate, steps).uu * u
    return ((end - u).norm() / (should - u).norm()).item()
