"""Filters: the multiplication of Fourier modes between two transforms, of a grid or of one with zeros around it.

Shapes: B batch, C channels, ``*G`` grid, ``*K`` modes, those that a Fourier transform of real fields keeps.
"""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from wavezoo.wave.layout import channels_last
from wavezoo.wave.scheme import Grid
from wavezoo.wave.spectral.transforms import grid_axes

# Numbers of a slice of the batch, measured on a CPU: what is between the transforms then stays in its cache.
SLICE = 2**18


def filtered(u: Tensor, real: Tensor, imaginary: Tensor | None, grid: Grid) -> Tensor:
    """Return ``u`` with its Fourier modes on ``grid`` multiplied, in the memory order of ``u``.

    Keeps its arguments for the backward pass, and no modes, which cost less than the memory for them. Backward and
    forward mode, their nesting and `torch.func.vmap` all work.

    Args:
        u: fields ``(B, C, *G)``.
        real: real part of the multiplier, ``(B, C, *K)`` or ``(1, C, *K)``.
        imaginary: its imaginary part; None for none.
        grid: at least that of ``u``, which zeros extend to it; the result is taken on the grid of ``u`` again.
    """
    if torch.compiler.is_compiling():
        return _multiplied(u, _multiplier(real, imaginary), grid)
    return _Filter.apply(u, real, imaginary, tuple(grid))


class _Filter(torch.autograd.Function):
    generate_vmap_rule = True

    @staticmethod
    def forward(u: Tensor, real: Tensor, imaginary: Tensor | None, grid: Grid) -> Tensor:
        by = _multiplier(real, imaginary)
        return _joined([_multiplied(u[rows], _rows(by, rows), grid) for rows in _slices(u, grid)], u)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        *tensors, ctx.grid = inputs
        ctx.save_for_backward(*tensors)
        ctx.save_for_forward(*tensors)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        u, real, imaginary = ctx.saved_tensors
        if torch.is_grad_enabled():
            to_u = filtered(gradient, real, None if imaginary is None else -imaginary, ctx.grid)
            by = _correlation(_transformed(u, ctx.grid), _transformed(gradient, ctx.grid), real)
        else:
            to_u, by = _gradients(u, _multiplier(real, imaginary).conj(), gradient, ctx.grid)
        by = by * _shares(ctx.grid, real)
        return to_u, by.real, None if imaginary is None else by.imag, None

    @staticmethod
    def jvp(ctx: Any, of_u: Tensor | None, of_real: Tensor | None, of_imaginary: Tensor | None, _: None) -> Tensor:
        u, real, imaginary = ctx.saved_tensors
        change = torch.zeros_like(u) if of_u is None else filtered(of_u, real, imaginary, ctx.grid)
        if of_real is None and of_imaginary is None:
            return change
        return change + filtered(u, torch.zeros_like(real) if of_real is None else of_real, of_imaginary, ctx.grid)


def _gradients(u: Tensor, conjugate: Tensor, gradient: Tensor, grid: Grid) -> tuple[Tensor, Tensor]:
    found, total = [], None
    for rows in _slices(u, grid):
        modes, by = _transformed(gradient[rows], grid), _rows(conjugate, rows)
        part = _correlation(_transformed(u[rows], grid), modes, by)
        total = part if total is None else total + part if conjugate.shape[0] == 1 else torch.cat([total, part])
        found.append(_back(modes * by, u.shape[2:], grid))
    assert total is not None
    return _joined(found, u), total


def _correlation(modes: Tensor, others: Tensor, like: Tensor) -> Tensor:
    product = modes.conj() * others
    return product if like.shape[0] > 1 else product.sum(0, keepdim=True)


def _multiplied(u: Tensor, by: Tensor, grid: Grid) -> Tensor:
    return _back(_transformed(u, grid) * by, u.shape[2:], grid)


def _transformed(u: Tensor, grid: Grid) -> Tensor:
    return torch.fft.rfftn(u, s=grid, dim=grid_axes(u))


def _back(modes: Tensor, inner: Grid, grid: Grid) -> Tensor:
    u = torch.fft.irfftn(modes, s=grid, dim=grid_axes(modes))
    for axis, size in enumerate(inner, 2):
        u = u.narrow(axis, 0, size)
    return u


def _multiplier(real: Tensor, imaginary: Tensor | None) -> Tensor:
    return real if imaginary is None else torch.complex(real, imaginary)


def _shares(grid: Grid, like: Tensor) -> Tensor:
    """Return how much of a field each mode that is kept stands for: itself, and its mirror image if it has one."""
    index = torch.arange(grid[-1] // 2 + 1, device=like.device)
    alone = (index == 0) | (2 * index == grid[-1])
    return (2 - alone.to(like.dtype)) / torch.Size(grid).numel()


def _slices(u: Tensor, grid: Grid) -> Iterator[slice]:
    size = u.shape[0]
    if u.device.type == "cpu":
        size = max(1, SLICE // (u.shape[1] * torch.Size(grid).numel()))
    return (slice(first, first + size) for first in range(0, u.shape[0], size))


def _rows(by: Tensor, rows: slice) -> Tensor:
    return by if by.shape[0] == 1 else by[rows]


def _joined(parts: list[Tensor], like: Tensor) -> Tensor:
    if channels_last(like):
        return torch.cat([each.movedim(1, -1) for each in parts]).movedim(-1, 1)
    return torch.cat(parts)
