"""The wave layer in the plainest float64 there is: dense matrices, one loop, no step shared with its neighbour.

Nothing here uses the schemes; the tests compare the two, outputs and gradients.

Shapes: B batch, C channels, ``*G`` grid, P = number of grid points.
"""

import math
from collections.abc import Callable, Sequence
from functools import reduce

import torch
from torch import Tensor
from torch.nn import functional as F

from wavezoo.wave.operator import WaveOperator


def dense_spectral_laplacian(grid: Sequence[int]) -> Tensor:
    """Return the matrix ``F⁻¹ diag(-|k|²) F`` on all points of ``grid``, shape ``(P, P)``, from its definition."""
    return _sum_over_axes([_spectral_second_derivative(size) for size in grid])


def dense_finite_difference_laplacian(grid: Sequence[int], weights: Sequence[float]) -> Tensor:
    """Return the periodic central-difference matrix with ``weights`` for distances 0, 1, 2, ..., shape ``(P, P)``."""
    axes = []
    for size in grid:
        matrix = torch.zeros(size, size, dtype=torch.float64)
        for i in range(size):
            matrix[i, i] += weights[0]
            for distance, weight in enumerate(weights[1:], 1):
                matrix[i, (i + distance) % size] += weight
                matrix[i, (i - distance) % size] += weight
        axes.append(matrix)
    return _sum_over_axes(axes)


def naive_layer(
    u: Tensor,
    v: Tensor,
    c: Tensor,
    gamma: Tensor,
    dt: Tensor,
    laplacian: Callable[[Tensor], Tensor],
    steps: int,
    damping: str,
) -> tuple[Tensor, Tensor]:
    """Take ``steps`` damped velocity Verlet steps with 2 ``steps`` Laplacians (Vejendla 2025, equations 2-4).

    Args:
        u: displacement, ``(B, C, *G)``.
        v: velocity, likewise.
        c: speed, broadcastable to ``u``.
        gamma: damping, likewise.
        dt: time step, likewise.
        laplacian: maps ``(B, C, *G)`` to the same shape; see `by_matrix`.
        steps: number of steps.
        damping: ``"linear"`` as published, or ``"exponential"``.

    Returns:
        Displacement and velocity at ``steps * dt``.
    """

    def kicked(v: Tensor, a: Tensor) -> Tensor:
        if damping == "linear":
            return v + dt / 2 * (a - gamma * v)
        e = torch.exp(-gamma * dt / 2)
        return e * v + (1 - e) / gamma * a

    for _ in range(steps):
        half = kicked(v, c**2 * laplacian(u))
        u = u + dt * half
        v = kicked(half, c**2 * laplacian(u))
    return u, v


def reference_output(operator: WaveOperator, x: Tensor, preset: str, laplacian: Tensor) -> Tensor:
    """Return what ``operator``, built with ``preset`` in float64, should make of ``x``, through its own weights.

    Covers a pointwise speed, a pointwise or constant damping field, and the displacement as read-out.
    """
    weights = dict(operator.named_parameters())
    dt = weights["log_dt"].exp().view(1, -1, *[1] * (x.ndim - 2))

    def pointwise(name: str) -> Tensor:
        matrix, bias = weights[f"{name}.weight"].flatten(1), weights[f"{name}.bias"]
        return torch.einsum("oi,bi...->bo...", matrix, x) + bias.view(1, -1, *[1] * (x.ndim - 2))

    c = F.softplus(pointwise("speed.conv"))
    v = torch.zeros_like(x)
    gamma = F.softplus(
        pointwise("damping_field.conv")
        if "damping_field.conv.weight" in weights
        else weights["damping_field.weight"].view(1, -1, *[1] * (x.ndim - 2))
    )
    if "start.projection.weight" in weights:
        # The operator measures velocities in displacement per step.
        v = pointwise("start.projection") / dt
    if preset == "stepped":
        limit = 0.95 * 2 / math.sqrt(-torch.linalg.eigvalsh(laplacian).min().item())
        courant = c * dt
        c = courant / (1 + (courant / limit) ** 8) ** (1 / 8) / dt
    damping = {"stepped": "exponential", "paper": "linear"}[preset]
    return naive_layer(x, v, c, gamma, dt, by_matrix(laplacian), operator.steps, damping)[0]


def by_matrix(matrix: Tensor) -> Callable[[Tensor], Tensor]:
    """Return the map of fields ``(B, C, *G)`` that a matrix ``(P, P)`` makes."""
    return lambda u: (u.flatten(2) @ matrix.mT).view(u.shape)


def _spectral_second_derivative(size: int) -> Tensor:
    index = torch.arange(size, dtype=torch.float64)
    fourier = torch.exp(-2j * math.pi * index[:, None] * index / size)
    k = 2 * math.pi * torch.fft.fftfreq(size, dtype=torch.float64)
    return (torch.linalg.inv(fourier) @ torch.diag(-(k**2)).to(fourier.dtype) @ fourier).real


def _sum_over_axes(matrices: Sequence[Tensor]) -> Tensor:
    def add_axis(total: Tensor, matrix: Tensor) -> Tensor:
        before, after = (torch.eye(len(each), dtype=torch.float64) for each in (total, matrix))
        return torch.kron(total, after) + torch.kron(before, matrix)

    return reduce(add_axis, matrices)
