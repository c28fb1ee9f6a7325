"""What every Laplacian must do. ``build`` is called as ``build(channels, ndim)``."""

import copy
import math
from collections.abc import Callable, Sequence
from typing import Any, cast

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from wavezoo.errors import WavezooError
from wavezoo.testing.assertions import (
    grids,
    growth,
    observed_order,
    random_input,
    relative,
    require,
    require_batch_independent,
    require_close,
    require_copies,
    require_full_initialisation,
    require_gradcheck,
    require_keeps_dtype_and_device,
    require_order,
)
from wavezoo.testing.causality import check_causal
from wavezoo.testing.problems import eigenfunction
from wavezoo.wave.analysis import dense_matrix
from wavezoo.wave.damping.none import NoDamping
from wavezoo.wave.integrators.velocity_verlet import VelocityVerlet
from wavezoo.wave.laplacians.base import Laplacian
from wavezoo.wave.scheme import Grid
from wavezoo.wave.system import WaveSystem

Build = Callable[[int, int], Laplacian]

# How far above the true value a bound on the spectral radius may lie.
TIGHTNESS = 0.05


def constants_map_to_zero(build: Build) -> None:
    """A field without differences has no curvature where there is no edge, or a wall that reflects."""
    for laplacian, grid in _on_grids(build):
        if laplacian.boundary not in ("periodic", "reflecting"):
            continue
        ones = torch.ones(1, 2, *grid, dtype=torch.float64)
        size = laplacian(ones).abs().max().item()
        require(size <= 1e-12 * _radius(laplacian, grid), f"a constant on {grid} maps to {size:.2e}")


def self_adjoint_and_negative(build: Build) -> None:
    """Where declared self-adjoint, its matrix is symmetric and has no positive eigenvalue."""
    for laplacian, grid in _on_grids(build):
        if not laplacian.self_adjoint:
            continue
        matrix = dense_matrix(laplacian, grid)
        require_close(matrix, matrix.T, f"not self-adjoint on {grid}")
        largest = torch.linalg.eigvalsh(matrix).max().item()
        require(largest <= 1e-10, f"positive eigenvalue {largest:.2e} on {grid}")


def causal_where_declared(build: Build) -> None:
    """Where declared, no position depends on later ones."""
    laplacian = build(2, _ndims(build)[0]).double()
    if laplacian.causal:
        require(laplacian.ndim == 1, "declares that it is causal on two axes, which have no order")
        grid = laplacian.fixed_grid or (9,)
        check_causal(laplacian, random_input((2, 2, *grid)))


def keeps_constants(build: Build) -> None:
    """In float32 a constant stays what it is through 2,000 undamped steps, where it maps to zero."""
    for ndim in _ndims(build):
        laplacian = build(1, ndim)
        for grid in [laplacian.fixed_grid] if laplacian.fixed_grid else [(16,) * ndim, (9, 11)[:ndim]]:
            u = torch.tensor([1.0, 0.7, -1.3]).view(-1, *[1] * (ndim + 1)).expand(-1, 1, *grid).contiguous()
            if laplacian(u).abs().max() > 1e-5 * _radius(laplacian, grid) or not laplacian.self_adjoint:
                continue
            with torch.no_grad():
                end = _undamped(laplacian, u, torch.ones(1), 2000)
            drift = (end / u - 1).abs().max().item()
            require(drift <= 0.02, f"a constant on {grid} changes by {drift:.2g} in 2,000 steps")


def stable_under_the_guard(build: Build) -> None:
    """Where the Courant guard accepts it, random waves in a medium that alternates stay bounded for 400 steps."""
    for laplacian, grid in _on_grids(build):
        if not laplacian.self_adjoint:
            continue
        u = random_input((1, 2, *grid))
        for pattern in (torch.ones(u.shape[2:]), (torch.arange(u[0, 0].numel()) % 2 == 0).view(u.shape[2:])):
            with torch.no_grad():
                end = _undamped(laplacian, u, 0.2 + 0.8 * pattern.double(), 400)
            # The mean drifts with its velocity, step by step.
            require(growth(u, end) <= 1e4, f"waves on {grid} grow below the stability limit")


def order(build: Build) -> None:
    """A wave that the boundary allows is mapped to its eigenvalue times itself, to the declared order."""
    for laplacian in (build(1, ndim).double() for ndim in _ndims(build)):
        ndim = laplacian.ndim
        if math.isnan(laplacian.order):
            continue
        if math.isinf(laplacian.order):
            error = max(_error(laplacian, size, mode)[1] for size in (9, 16) for mode in (1, 2, 3))
            require(error <= 1e-10, f"declared exact, but off by {error:.2e} in {ndim}D")
        else:
            wave_numbers, errors = zip(*(_error(laplacian, size, mode=2) for size in (16, 24, 32, 48)), strict=True)
            require_order(observed_order(wave_numbers, errors), laplacian.order, f"in {ndim}D")


def spectral_radius_is_true_and_tight(build: Build) -> None:
    """`spectral_radius` is at least the largest absolute eigenvalue, and little more."""
    for laplacian, grid in _on_grids(build):
        true = torch.linalg.eigvals(dense_matrix(laplacian, grid)).abs().max().item()
        bound = _radius(laplacian, grid)
        require(bound >= true * (1 - 1e-10), f"spectral_radius({grid}) = {bound:.6g} is below the true {true:.6g}")
        require(
            relative(bound, true) <= TIGHTNESS, f"spectral_radius({grid}) = {bound:.6g}, the true one is {true:.6g}"
        )


def modes_are_its_eigenvectors(build: Build) -> None:
    """Where declared diagonal, its modes lead there and back, and multiplying by eigenvalues is what it does."""
    for laplacian, grid in _on_grids(build):
        if not laplacian.diagonal:
            continue
        u = random_input((2, 2, *grid))
        modes = laplacian.modes(u)
        spectrum = modes.transform(u)
        require_close(modes.inverse(spectrum), u, f"its modes do not lead back on {grid}")
        require_close(modes.inverse(spectrum * modes.eigenvalues), laplacian(u), f"its modes are not its own on {grid}")
        require((modes.eigenvalues <= 1e-10).all(), f"its modes have positive eigenvalues on {grid}")


def any_layout(build: Build) -> None:
    """Non-contiguous fields give what contiguous ones give, and stay unchanged."""
    for laplacian, grid in _on_grids(build):
        u = random_input((2, *grid, 2)).movedim(-1, 1)
        before = u.clone()
        require_close(laplacian(u), laplacian(u.contiguous()), f"depends on the memory layout on {grid}")
        require(torch.equal(u, before), "changes its input")


def gradcheck(build: Build) -> None:
    """Its gradient is right, that of its own parameters included."""
    for laplacian, grid in _on_grids(build):
        parameters = dict(laplacian.named_parameters())

        def apply(u: torch.Tensor, *values: torch.Tensor) -> torch.Tensor:
            given = dict(zip(parameters, values, strict=True))  # noqa: B023
            return torch.func.functional_call(laplacian, given, (u,))  # noqa: B023

        require_gradcheck(apply, random_input((1, 2, *grid)), *parameters.values())


def dtype_and_device(build: Build) -> None:
    """Dtype and device are those of the input."""
    for laplacian, grid in _on_grids(build):
        require_keeps_dtype_and_device(lambda dtype: build(2, laplacian.ndim).to(dtype), (2, 2, *grid))  # noqa: B023


def batch_independence(build: Build) -> None:
    """A sample's result does not depend on its batch."""
    for laplacian, grid in _on_grids(build):
        require_batch_independent(laplacian, (3, 2, *grid))


def full_initialisation(build: Build) -> None:
    """``reset_parameters`` sets all parameters and persistent buffers."""
    for ndim in _ndims(build):
        require_full_initialisation(lambda: build(3, ndim))  # noqa: B023


def complex_free_where_declared(build: Build) -> None:
    """Where declared, and once asked to do `as_products`, it gives what it gave, and no complex number comes up."""
    for ndim in _ndims(build):
        laplacian = build(2, ndim).double()
        for grid in [laplacian.fixed_grid] if laplacian.fixed_grid else [*grids((ndim,)), (130,) * ndim]:
            u = random_input((1, 2, *grid))
            before = laplacian(u)
            products = copy.deepcopy(laplacian)
            try:
                products.as_products()
            except WavezooError:
                require(not laplacian.complex_free, "is declared free of complex numbers, but refuses as_products")
                continue
            require(products.complex_free, "is not free of complex numbers after as_products, but does not refuse it")
            with _ComplexNumbers() as complex_numbers:
                after = products(u)
                if products.diagonal:
                    modes = products.modes(u)
                    modes.inverse(modes.transform(u))
            require(not complex_numbers.seen, f"is declared free of complex numbers, but uses some on {grid}")
            require_close(after, before, f"gives something else as_products on {grid}")


def degree_is_true(build: Build) -> None:
    """A bump on a grid twice as fine has eigenvalues, on average, ``2^degree`` times as small."""
    for ndim in _ndims(build):
        laplacian = build(1, ndim).double()
        if laplacian.fixed_grid is not None:
            continue
        quotients = []
        for size in (32, 64):
            x = (torch.arange(size, dtype=torch.float64) + 0.5) / size
            bump = (-((x - 0.5) ** 2) / (2 * 0.08**2)).exp()
            u = (bump if ndim == 1 else bump[:, None] * bump).view(1, 1, *[size] * ndim)
            quotients.append(((u * laplacian(u)).sum() / u.square().sum()).item())
        degree = float(torch.as_tensor(laplacian.degree()).detach())
        observed = math.log2(quotients[0] / quotients[1])
        require(abs(observed - degree) <= 0.1, f"degree is {degree:g}, observed {observed:.2f}")


def copies(build: Build) -> None:
    """Deepcopy and pickle keep it."""
    for laplacian, grid in _on_grids(build):
        u = random_input((1, 2, *grid))
        require_copies(laplacian, lambda clone: clone(u))  # noqa: B023


class _ComplexNumbers(TorchDispatchMode):
    """Sees whether any operation gives a complex number."""

    seen = False

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        if isinstance(result, Tensor) and result.is_complex():
            self.seen = True
        return result


def _undamped(laplacian: Laplacian, u: Tensor, speed: Tensor, steps: int) -> Tensor:
    """Return the displacement after some steps of velocity Verlet from rest, at 0.95 of its limit for a speed of 1."""
    integrator = VelocityVerlet()
    radius = torch.as_tensor(laplacian.spectral_radius(u.shape[2:]), dtype=u.dtype).clamp(min=1e-6)
    longest = 0.95 * integrator.stability_limit / radius.view(-1, *[1] * laplacian.ndim).sqrt()
    speed_squared = (longest * speed.to(u.dtype)).square()
    system = WaveSystem(laplacian.bind(u), speed_squared, NoDamping(1, 1), u.new_zeros(()))
    return integrator.advance(system, u, None, 1.0, steps, False)[0]


def _error(laplacian: Laplacian, size: int, mode: int) -> tuple[float, float]:
    """Return the wave number of an exact eigenfunction, and the relative error of the Laplacian on it."""
    wave, eigenvalue = eigenfunction(laplacian.boundary, size, mode)
    wave_number = math.sqrt(-eigenvalue)
    if laplacian.ndim == 2:
        wave, eigenvalue = wave[:, None] * wave, 2 * eigenvalue
    return wave_number, (laplacian(wave[None, None])[0, 0] / eigenvalue - wave).abs().max().item()


def _on_grids(build: Build) -> list[tuple[Laplacian, tuple[int, ...]]]:
    """Return it on every grid, fresh and, where it learns, also with other parameters."""
    found = []
    for ndim in _ndims(build):
        fresh = build(2, ndim).double()
        for grid in [fresh.fixed_grid] if fresh.fixed_grid else grids((ndim,)):
            found.append((fresh, grid))
            if any(True for _ in fresh.parameters()):
                learned = build(2, ndim).double()
                for number, parameter in enumerate(learned.parameters()):
                    parameter.data += random_input(parameter.shape, seed=number)
                found.append((learned, grid))
    return found


def _ndims(build: Build) -> Sequence[int]:
    """Return the numbers of axes of a class, or of one with options bound to it."""
    return cast(Any, getattr(build, "func", build)).ndims


def _radius(laplacian: Laplacian, grid: Grid) -> float:
    """Return the spectral radius of the first channel."""
    radius = laplacian.spectral_radius(grid)
    return radius.detach().view(-1)[0].item() if isinstance(radius, Tensor) else radius


CHECKS = [
    constants_map_to_zero,
    self_adjoint_and_negative,
    causal_where_declared,
    keeps_constants,
    stable_under_the_guard,
    order,
    spectral_radius_is_true_and_tight,
    modes_are_its_eigenvectors,
    any_layout,
    gradcheck,
    dtype_and_device,
    batch_independence,
    full_initialisation,
    complex_free_where_declared,
    degree_is_true,
    copies,
]
