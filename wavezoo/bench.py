"""Benchmarks of the wave operator against a naive one and against other mixers, all in one run.

Shapes: B batch, C channels, ``*G`` grid.
"""

import math
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.graph import saved_tensors_hooks
from torch.nn import functional as F

from wavezoo.build import create_operator
from wavezoo.errors import WavezooError
from wavezoo.layers import conv
from wavezoo.operator import WaveOperator

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
HEAD_CHANNELS = 32


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


@dataclass(frozen=True)
class Contender:
    """A function of some inputs, whose gradients are taken with respect to these inputs and to ``parameters``."""

    name: str
    function: Callable[..., Tensor]
    inputs: tuple[Tensor, ...]
    parameters: tuple[Tensor, ...]


class Attention(nn.Module):
    """Multi-head attention over all positions of ``(B, C, *G)``, with its projections."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.heads = max(channels // HEAD_CHANNELS, 1)
        self.qkv = nn.Linear(channels, 3 * channels)
        self.proj = nn.Linear(channels, channels)

    def forward(self, x: Tensor) -> Tensor:
        batch, channels, *grid = x.shape
        tokens = x.flatten(2).mT
        qkv = self.qkv(tokens).view(batch, -1, 3, self.heads, channels // self.heads).permute(2, 0, 3, 1, 4)
        mixed = F.scaled_dot_product_attention(*qkv.unbind(0)).transpose(1, 2).flatten(2)
        return self.proj(mixed).mT.reshape(batch, channels, *grid)


class GlobalFilter(nn.Module):
    """A learned filter in Fourier space, one value per channel and mode (GFNet, Rao et al. 2021)."""

    def __init__(self, channels: int, grid: Sequence[int]) -> None:
        super().__init__()
        self.weight = nn.Parameter(0.02 * torch.randn(channels, *grid[:-1], grid[-1] // 2 + 1, 2))

    def forward(self, x: Tensor) -> Tensor:
        axes = tuple(range(2, x.ndim))
        return torch.fft.irfftn(
            torch.fft.rfftn(x, dim=axes) * torch.view_as_complex(self.weight), s=x.shape[2:], dim=axes
        )


def naive_solution(u: Tensor, speed: Tensor, gamma: Tensor, dt: Tensor, steps: int) -> Tensor:
    """Return the field after ``steps`` steps as published, by FFT and with 2 ``steps`` Laplacians (Vejendla 2025)."""
    grid, axes = u.shape[2:], tuple(range(2, u.ndim))
    squares = [(2 * math.pi * torch.fft.fftfreq(n, device=u.device)).square() for n in grid]
    squares[-1] = (2 * math.pi * torch.fft.rfftfreq(grid[-1], device=u.device)).square()
    symbol = -squares[0] if len(grid) == 1 else -(squares[0][:, None] + squares[1])

    def laplacian(u: Tensor) -> Tensor:
        return torch.fft.irfftn(symbol * torch.fft.rfftn(u, dim=axes), s=grid, dim=axes)

    v = torch.zeros_like(u)
    for _ in range(steps):
        half = v + dt / 2 * (speed**2 * laplacian(u) - gamma * v)
        u = u + dt * half
        v = half + dt / 2 * (speed**2 * laplacian(u) - gamma * half)
    return u


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
    forward: dict[str, list[float]] = {each.name: [] for each in contenders}
    both: dict[str, list[float]] = {each.name: [] for each in contenders}
    # The first round warms up, and compiles.
    for round_ in range(repeats + 1):
        for each in contenders:
            seconds = _forward_seconds(each), _both_seconds(each, weight)
            if round_:
                forward[each.name].append(seconds[0])
                both[each.name].append(seconds[1])
    for each in contenders:
        yield Measurement(
            grid,
            batch,
            channels,
            each.name,
            *_median_and_spread(forward[each.name]),
            *_median_and_spread(both[each.name]),
            _kept_mib(each),
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
    yield Contender("solver: naive", lambda u, c, g: naive_solution(u, c, g, dt, operator.steps), given, ())
    yield Contender("solver: wavezoo", solver(operator), given, (operator.log_dt,))
    if compiled:
        yield Contender(
            "solver: wavezoo, compiled", torch.compile(solver(operator), fullgraph=True), given, (operator.log_dt,)
        )
    yield Contender("solver: bare k + 1 Laplacians", bare, (x,), ())
    for gradient in ("store", "recompute", "reverse"):
        layer = create_operator(channels, ndim, gradient=gradient).to(device)
        yield _layer(f"layer: wavezoo, {gradient}", layer, x)
        # Compiled, reverse is recompute.
        if compiled and gradient != "reverse":
            yield _layer(f"layer: wavezoo, {gradient}, compiled", layer, x, torch.compile(layer, fullgraph=True))
    yield _layer("layer: attention", Attention(channels).to(device), x)
    depthwise = conv(ndim)(channels, channels, 7, padding=3, groups=channels).to(device)
    yield _layer("layer: depthwise 7" if ndim == 1 else "layer: depthwise 7x7", depthwise, x)
    yield _layer("layer: global filter", GlobalFilter(channels, grid).to(device), x)


def _layer(name: str, module: nn.Module, x: Tensor, function: Callable[..., Tensor] | None = None) -> Contender:
    return Contender(name, module if function is None else function, (x,), tuple(module.parameters()))


def _forward_seconds(contender: Contender) -> float:
    with torch.no_grad():
        start = _now(contender.inputs[0].device)
        contender.function(*contender.inputs)
        return _now(contender.inputs[0].device) - start


def _both_seconds(contender: Contender, weight: Tensor) -> float:
    wanted = [*contender.inputs, *contender.parameters]
    start = _now(weight.device)
    torch.autograd.grad(contender.function(*contender.inputs), wanted, weight, allow_unused=True)
    return _now(weight.device) - start


def _now(device: torch.device) -> float:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter()


def _kept_mib(contender: Contender) -> float:
    """Return the size of the distinct storages that a forward pass saves, those of parameters aside."""
    kept: dict[int, Any] = {}
    parameters = {each.untyped_storage().data_ptr() for each in contender.parameters}

    def pack(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in parameters:
            kept[storage.data_ptr()] = storage
        return tensor

    with saved_tensors_hooks(pack, lambda tensor: tensor):
        output = contender.function(*contender.inputs)
    del output
    return sum(storage.nbytes() for storage in kept.values()) / 2**20


def _median_and_spread(seconds: Sequence[float]) -> tuple[float, float]:
    if len(seconds) == 1:
        return 1e3 * seconds[0], 0.0
    low, median, high = statistics.quantiles(seconds, n=4, method="inclusive")
    return 1e3 * median, 1e3 * (high - low)


def as_records(measurements: Sequence[Measurement]) -> list[dict[str, Any]]:
    """Return measurements as plain values for JSON."""
    return [asdict(each) for each in measurements]
