"""What every potential must do. ``build`` is called as ``build(channels, ndim)``."""

from collections.abc import Callable

import torch
from torch import Tensor

from wavezoo.testing.assertions import (
    grids,
    random_input,
    require,
    require_batch_independent,
    require_close,
    require_copies,
    require_full_initialisation,
    require_gradcheck,
    require_keeps_dtype_and_device,
)
from wavezoo.testing.causality import check_causal
from wavezoo.wave.damping.none import NoDamping
from wavezoo.wave.integrators.velocity_verlet import VelocityVerlet
from wavezoo.wave.laplacians.spectral import SpectralLaplacian
from wavezoo.wave.potentials.base import Potential
from wavezoo.wave.system import WaveSystem

Build = Callable[[int, int], Potential]


def force_is_minus_the_gradient_of_the_potential(build: Build) -> None:
    """The force is minus the derivative of the potential, which is zero at zero."""
    for potential, grid in _on_grids(build):
        u = (3 * random_input((2, 3, *grid))).requires_grad_()
        energy = potential.energy(u)
        (slope,) = torch.autograd.grad(energy.sum(), u)
        require_close(potential.force(u), -slope, "the force is not minus the derivative of the potential")
        require(not potential.energy(torch.zeros_like(u)).any(), "the potential is not zero at zero")


def exerts_a_force(build: Build) -> None:
    """There is a force; a medium without one has no potential."""
    for potential, grid in _on_grids(build):
        require(bool(potential.force(random_input((2, 3, *grid))).any()), "there is no force")


def quadratic_where_declared(build: Build) -> None:
    """The force of a quadratic potential is minus its stiffness, one for each channel, times the displacement."""
    for potential, grid in _on_grids(build):
        u = random_input((2, 3, *grid))
        stiffness = potential.stiffness(u).expand_as(u)
        first_cell = (slice(None), slice(None), *[slice(0, 1)] * len(grid))
        uniform = torch.equal(stiffness, stiffness[first_cell].expand_as(u))
        found = uniform and torch.allclose(potential.force(u), -stiffness * u)
        require(found == potential.quadratic, f"quadratic is {potential.quadratic}, observed {found}")


def stiffness_is_true_and_tight(build: Build) -> None:
    """No displacement up to its argument meets a steeper force than `stiffness`, and some meet one as steep."""
    for potential, grid in _on_grids(build):
        for scale in (0.01, 1.0, 10.0):
            u = (scale * random_input((2, 3, *grid))).requires_grad_()
            (slope,) = torch.autograd.grad((potential.force(u) + 0 * u).sum(), u)
            bound = potential.stiffness(u).expand_as(u).detach()
            require((slope.abs() <= bound * (1 + 1e-9)).all(), f"the force is steeper than its stiffness at {scale:g}")
            require((slope.abs() / bound).max() >= 0.95, f"the stiffness is too careful at {scale:g}")


def bounded_where_declared(build: Build) -> None:
    """A bounded stiffness is the same for every displacement."""
    for potential, grid in _on_grids(build):
        u = random_input((2, 3, *grid))
        found = torch.equal(potential.stiffness(u), potential.stiffness(1e3 * u))
        require(
            found == potential.bounded_stiffness,
            f"bounded_stiffness is {potential.bounded_stiffness}, observed {found}",
        )


def energy_is_conserved(build: Build) -> None:
    """An undamped wave keeps its energy, the potential included, to the accuracy of velocity Verlet."""
    potential = build(1, 1).double()
    u = random_input((1, 1, 16))
    laplacian, one = SpectralLaplacian(1, 1), torch.ones(1, dtype=torch.float64)
    system = WaveSystem(laplacian.bind(u), one, NoDamping(1, 1), 0 * one, potential=potential)
    integrator, dt = VelocityVerlet(), 0.02
    state = integrator.init(system, u, torch.zeros_like(u))
    energies = [system.energy(state.u, state.v)]
    for _ in range(300):
        state = integrator.step(system, state, dt)
        energies.append(system.energy(state.u, state.v))
    swing = (torch.stack(energies) / energies[0] - 1).abs().max().item()
    # Velocity Verlet swings by (omega dt)² / 8, omega being pi here and somewhat more with a potential.
    require(swing <= 0.002, f"the energy swings by {swing:.2e}")


def causal_where_declared(build: Build) -> None:
    """Where declared, no force depends on later displacements."""
    potential = build(3, 1).double()
    if potential.causal:
        check_causal(potential.force, random_input((2, 3, 9)))


def gradient_to_every_parameter(build: Build) -> None:
    """Every parameter has a gradient that is not zero."""
    for potential, grid in _on_grids(build):
        u = random_input((2, 3, *grid))
        if parameters := dict(potential.named_parameters()):
            (potential.force(u) * u).sum().backward()
        for name, parameter in parameters.items():
            used = parameter.grad is not None and bool((parameter.grad != 0).all())
            require(used, f"the parameter {name} has no gradient")


def gradcheck(build: Build) -> None:
    """Its gradients are right, for the displacement and for every parameter."""
    for potential, grid in _on_grids(build):
        parameters = dict(potential.named_parameters())

        def apply(u: Tensor, *values: Tensor) -> Tensor:
            given = dict(zip(parameters, values, strict=True))  # noqa: B023
            return torch.func.functional_call(_Everything(potential), {f"of.{k}": v for k, v in given.items()}, (u,))  # noqa: B023

        require_gradcheck(apply, random_input((1, 3, *grid)), *parameters.values())


def dtype_and_device(build: Build) -> None:
    """Dtype and device are those of the displacement."""
    for potential, grid in _on_grids(build):
        require_keeps_dtype_and_device(lambda dtype: _Everything(build(3, potential.ndim).to(dtype)), (2, 3, *grid))  # noqa: B023


def batch_independence(build: Build) -> None:
    """A sample's force does not depend on its batch."""
    for potential, grid in _on_grids(build):
        require_batch_independent(_Everything(potential), (3, 3, *grid))


def full_initialisation(build: Build) -> None:
    """``reset_parameters`` sets all parameters and persistent buffers."""
    for ndim in (1, 2):
        require_full_initialisation(lambda: build(3, ndim))  # noqa: B023


def copies(build: Build) -> None:
    """Deepcopy and pickle keep it."""
    for potential, grid in _on_grids(build):
        u = random_input((1, 3, *grid))
        require_copies(potential, lambda clone: clone.force(u))  # noqa: B023


class _Everything(torch.nn.Module):
    """All that a potential gives, as one output."""

    def __init__(self, of: Potential) -> None:
        super().__init__()
        self.of = of

    def forward(self, u: Tensor) -> Tensor:
        return self.of.force(u) + 2 * self.of.energy(u) + 3 * self.of.stiffness(u)


def _on_grids(build: Build) -> list[tuple[Potential, tuple[int, ...]]]:
    return [(build(3, len(grid)).double(), grid) for grid in grids((1, 2))]


CHECKS = [
    force_is_minus_the_gradient_of_the_potential,
    exerts_a_force,
    quadratic_where_declared,
    stiffness_is_true_and_tight,
    bounded_where_declared,
    energy_is_conserved,
    causal_where_declared,
    gradient_to_every_parameter,
    gradcheck,
    dtype_and_device,
    batch_independence,
    full_initialisation,
    copies,
]
