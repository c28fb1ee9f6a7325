"""Layers and solvers that take turns in the benchmark of the operator.

Shapes: B batch, C channels, ``*G`` grid.
"""

import functools
import math
from collections.abc import Callable, Iterator

import torch
from timm.layers import set_fused_attn, use_fused_attn
from torch import Tensor, nn

from wavezoo.bench.timing import Contender
from wavezoo.config.presets import PRESETS
from wavezoo.config.spec import create_mixer, create_operator
from wavezoo.mixers.attention import AttentionMixer
from wavezoo.models.registry import model_options
from wavezoo.testing.reference import naive_layer
from wavezoo.wave.operator import WaveOperator

# Attention that is not fused keeps its scores; it is left out where they would take more.
MOST_SCORES_BYTES = 2**30
NAIVE = "solver: naive"
STEPPED = "solver: stepped"
BARE = "bare: "
LAPLACIANS = f"{BARE}k + 1 Laplacians"
TRANSFORMS = f"{BARE}transforms"
DEPTHWISE = "layer: depthwise 7"
FILTER = "layer: global_filter"
FUSED, UNFUSED = "attention, fused", "attention, unfused"
COMPILED = ", compiled"


@functools.cache
def presets() -> tuple[str, ...]:
    """Return the presets, that of the models first."""
    default = (model_options("wavepde_tiny") or {})["preset"]
    return (default, *(name for name in PRESETS if name != default))


def naive_solution(u: Tensor, speed: Tensor, gamma: Tensor, dt: Tensor, steps: int) -> Tensor:
    """Return the field after ``steps`` steps as published, by FFT and with 2 ``steps`` Laplacians (Vejendla 2025)."""
    grid, axes = u.shape[2:], tuple(range(2, u.ndim))
    squares = [(2 * math.pi * torch.fft.fftfreq(n, device=u.device)).square() for n in grid]
    squares[-1] = (2 * math.pi * torch.fft.rfftfreq(grid[-1], device=u.device)).square()
    symbol = -squares[0] if len(grid) == 1 else -(squares[0][:, None] + squares[1])

    def laplacian(u: Tensor) -> Tensor:
        return torch.fft.irfftn(symbol * torch.fft.rfftn(u, dim=axes), s=grid, dim=axes)

    return naive_layer(u, torch.zeros_like(u), speed, gamma, dt, laplacian, steps, "linear")[0]


def operator_contenders(x: Tensor, compiled: bool) -> Iterator[Contender]:
    """Yield what is timed on inputs like ``x``, ``(B, C, *G)``, the layer of the default preset first.

    Args:
        x: input that needs a gradient.
        compiled: whether compiled versions are timed too.
    """
    channels, ndim = x.shape[1], x.ndim - 2
    for preset in presets():
        layer = create_operator(channels, ndim, preset).to(x.device)
        yield _layer(f"layer: {preset}", layer, x)
        if compiled:
            yield _layer(f"layer: {preset}{COMPILED}", layer, x, torch.compile(layer))
    for gradient in ("recompute", "reverse"):
        layer = create_operator(channels, ndim, "stepped", gradient=gradient).to(x.device)
        yield _layer(f"layer: stepped, {gradient}", layer, x)
    yield from _solvers(x, compiled)
    yield from _attention(x, compiled)
    yield _layer(DEPTHWISE, create_mixer(channels, ndim, "depthwise").to(x.device), x)
    resolution = {"name": "global_filter", "resolution": max(2, x.shape[2])}
    yield _layer(FILTER, create_mixer(channels, ndim, resolution).to(x.device), x)


def attention_modes(heads: int, x: Tensor) -> list[bool]:
    """Return which of fused (True) and unfused attention to time for ``heads`` on ``x``, ``(B, C, *G)``."""
    scores = 4 * len(x) * heads * math.prod(x.shape[2:]) ** 2
    return [True, False] if scores <= MOST_SCORES_BYTES else [True]


def with_attention(function: Callable[..., Tensor], fused: bool) -> Callable[..., Tensor]:
    """Return ``function`` with its attention by torch's fused kernel, or by plain matrix products and a softmax."""

    def switched(*inputs: Tensor) -> Tensor:
        before = use_fused_attn()
        set_fused_attn(fused)
        try:
            return function(*inputs)
        finally:
            set_fused_attn(before)

    return switched


def _solvers(x: Tensor, compiled: bool) -> Iterator[Contender]:
    """Yield what solves, without making fields and without reading out, and the transforms and Laplacians alone."""
    channels, ndim = x.shape[1], x.ndim - 2
    operator = create_operator(channels, ndim, "stepped").to(x.device)
    with torch.no_grad():
        speed, gamma, _ = operator.fields(x)
        modes = create_operator(channels, ndim, "closed_form").to(x.device).laplacian.modes(x)
    speed, gamma = (each.clone().requires_grad_() for each in (speed, gamma if gamma is not None else speed))
    given = (x, speed, gamma)
    dt, steps = operator.dt.detach(), operator.steps
    learned = () if operator.log_dt is None else (operator.log_dt,)
    yield Contender(NAIVE, lambda u, c, g: naive_solution(u, c, g, dt, steps), given, ())
    yield Contender(STEPPED, _solver(operator), given, learned)
    if compiled:
        yield Contender(STEPPED + COMPILED, torch.compile(_solver(operator)), given, learned)
    yield Contender(LAPLACIANS, _laplacians(operator), (x,), ())
    yield Contender(TRANSFORMS, lambda u: modes.inverse(modes.transform(u)), (x,), ())


def _solver(operator: WaveOperator) -> Callable[..., Tensor]:
    return lambda u, speed, gamma: operator.integrated(u, None, speed, gamma)[0]


def _laplacians(operator: WaveOperator) -> Callable[..., Tensor]:
    def applied(u: Tensor) -> Tensor:
        laplacian = operator.laplacian.bind(u)
        for _ in range(operator.steps + 1):
            u = laplacian(u)
        return u

    return applied


def _attention(x: Tensor, compiled: bool) -> Iterator[Contender]:
    for fused in (True, False):
        module = create_mixer(x.shape[1], x.ndim - 2, "attention").to(x.device)
        if fused in attention_modes(heads_of(module), x):
            name = f"layer: {FUSED if fused else UNFUSED}"
            yield _layer(name, module, x, with_attention(module, fused))
            if compiled:
                yield _layer(name + COMPILED, module, x, with_attention(torch.compile(module), fused))


def heads_of(module: nn.Module) -> int:
    """Return the largest number of heads of the attention in ``module``, 0 if there is none."""
    return max((each.heads for each in module.modules() if isinstance(each, AttentionMixer)), default=0)


def _layer(name: str, module: nn.Module, x: Tensor, function: Callable[..., Tensor] | None = None) -> Contender:
    return Contender(name, module if function is None else function, (x,), tuple(module.parameters()))
