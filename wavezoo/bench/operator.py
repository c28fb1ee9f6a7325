"""Benchmarks of the wave operator against a naive one and against other mixers, all in one run.

Shapes: B batch, C channels, ``*G`` grid.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from wavezoo.bench.timing import Contender, kept_mib, median_and_spread, timed_in_turn
from wavezoo.config.spec import create_mixer, create_operator
from wavezoo.errors import WavezooError
from wavezoo.testing.reference import naive_layer
from wavezoo.wave.operator import WaveOperator

# Batch and channels on each grid: about a million numbers or more, as in the stages of a backbone.
SIZES: dict[tuple[int, ...], tuple[int, int]] = {
    (14, 14): (16, 384),
    (16, 16): (32, 64),
    (28, 28): (16, 192),
    (32, 32): (16, 128),
    (56, 56): (16, 96),
    (64, 64): (8, 96),
    (256,): (32, 128),
    (1024,): (8, 128),
    (4096,): (2, 128),
    (16384,): (1, 64),
}


@dataclass(frozen=True)
class Measurement:
    """One contender on one grid.

    Attributes:
        grid: the grid.
        batch: B.
        channels: C.
        contender: what was measured.
        forward_ms: median time of a forward pass without gradients, in milliseconds; None where it was not taken.
        forward_spread_ms: its interquartile range.
        both_ms: median time of a forward and a backward pass.
        both_spread_ms: its interquartile range.
        kept_mib: what the forward pass keeps for the backward pass, parameters aside, in MiB.
    """

    grid: tuple[int, ...]
    batch: int
    channels: int
    contender: str
    forward_ms: float
    forward_spread_ms: float
    both_ms: float
    both_spread_ms: float
    kept_mib: float


def naive_solution(u: Tensor, speed: Tensor, gamma: Tensor, dt: Tensor, steps: int) -> Tensor:
    """Return the field after ``steps`` steps as published, by FFT and with 2 ``steps`` Laplacians (Vejendla 2025)."""
    grid, axes = u.shape[2:], tuple(range(2, u.ndim))
    squares = [(2 * math.pi * torch.fft.fftfreq(n, device=u.device)).square() for n in grid]
    squares[-1] = (2 * math.pi * torch.fft.rfftfreq(grid[-1], device=u.device)).square()
    symbol = -squares[0] if len(grid) == 1 else -(squares[0][:, None] + squares[1])

    def laplacian(u: Tensor) -> Tensor:
        return torch.fft.irfftn(symbol * torch.fft.rfftn(u, dim=axes), s=grid, dim=axes)

    return naive_layer(u, torch.zeros_like(u), speed, gamma, dt, laplacian, steps, "linear")[0]


def bench_operator(
    grids: Sequence[tuple[int, ...]], device: torch.device, repeats: int = 7, compiled: bool = True
) -> Iterator[Measurement]:
    """Measure the operator, its limits and its rivals, grid by grid; the contenders of a grid take turns.

    Args:
        grids: grids out of ``SIZES``, or others, which get about a quarter of a million numbers.
        device: where to measure.
        repeats: how often each contender is timed.
        compiled: whether to measure compiled versions too.

    Raises:
        WavezooError: if a grid or ``repeats`` is not positive.
    """
    if repeats < 1:
        raise WavezooError(f"repeats is {repeats!r}; give a number of rounds, at least 1.")
    for grid in grids:
        if len(grid) not in (1, 2) or min(grid) < 1:
            raise WavezooError(f"grid {grid!r} is no line and no rectangle; give sizes such as 1024 or 28x28.")
        yield from _bench_grid(grid, device, repeats, compiled)


def _bench_grid(grid: tuple[int, ...], device: torch.device, repeats: int, compiled: bool) -> Iterator[Measurement]:
    batch, channels = SIZES.get(grid, (max(1, 2**18 // (64 * math.prod(grid))), 64))
    torch.manual_seed(0)
    torch._dynamo.reset()
    x = torch.randn(batch, channels, *grid, device=device, requires_grad=True)
    weight = torch.randn_like(x)
    contenders = list(_contenders(x, compiled))
    forward, both = timed_in_turn(contenders, weight, repeats)
    for each in contenders:
        yield Measurement(
            grid,
            batch,
            channels,
            each.name,
            *median_and_spread(forward[each.name]),
            *median_and_spread(both[each.name]),
            kept_mib(each),
        )


def _contenders(x: Tensor, compiled: bool) -> Iterator[Contender]:
    device, (_, channels, *grid) = x.device, x.shape
    ndim = len(grid)
    operator = create_operator(channels, ndim).to(device)
    with torch.no_grad():
        speed, gamma, _ = operator.fields(x)
    speed, gamma = (each.clone().requires_grad_() for each in (speed, gamma if gamma is not None else speed))
    given = (x, speed, gamma)

    def solver(operator: WaveOperator) -> Callable[..., Tensor]:
        return lambda u, speed, gamma: operator.integrated(u, None, speed, gamma)[0]

    def bare(u: Tensor) -> Tensor:
        laplacian = operator.laplacian.bind(u)
        for _ in range(operator.steps + 1):
            u = laplacian(u)
        return u

    dt = operator.dt.detach()
    learned = () if operator.log_dt is None else (operator.log_dt,)
    yield Contender("solver: naive", lambda u, c, g: naive_solution(u, c, g, dt, operator.steps), given, ())
    yield Contender("solver: wavezoo", solver(operator), given, learned)
    if compiled:
        yield Contender("solver: wavezoo, compiled", torch.compile(solver(operator), fullgraph=True), given, learned)
    yield Contender("solver: bare k + 1 Laplacians", bare, (x,), ())
    for gradient in ("store", "recompute", "reverse"):
        layer = create_operator(channels, ndim, gradient=gradient).to(device)
        yield _layer(f"layer: wavezoo, {gradient}", layer, x)
        # Compiled, reverse is recompute.
        if compiled and gradient != "reverse":
            yield _layer(f"layer: wavezoo, {gradient}, compiled", layer, x, torch.compile(layer, fullgraph=True))
    # What models are built of unless they are told otherwise.
    yield _layer("layer: wavezoo, closed form", create_operator(channels, ndim, "closed_form").to(device), x)
    yield _layer("layer: attention", create_mixer(channels, ndim, "attention").to(device), x)
    name = "layer: depthwise 7" if ndim == 1 else "layer: depthwise 7x7"
    yield _layer(name, create_mixer(channels, ndim, "depthwise").to(device), x)
    resolution = {"name": "global_filter", "resolution": max(2, grid[0])}
    yield _layer("layer: global filter", create_mixer(channels, ndim, resolution).to(device), x)


def _layer(name: str, module: nn.Module, x: Tensor, function: Callable[..., Tensor] | None = None) -> Contender:
    return Contender(name, module if function is None else function, (x,), tuple(module.parameters()))
