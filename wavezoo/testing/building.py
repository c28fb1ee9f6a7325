"""Mixers as the suites build them."""

import inspect
from collections.abc import Callable, Sequence
from typing import Any

import torch

from wavezoo.config.spec import create_operator
from wavezoo.mixers.base import Mixer

# Called as ``build(channels, ndim, causal=...)``.
Build = Callable[..., Mixer]


def built(build: Build, ndim: int, *, causal: bool = False) -> Mixer:
    """Return a mixer of four channels, with the default wave operator if it takes one."""
    torch.manual_seed(0)
    options: dict[str, Any] = {"causal": causal}
    if "operator" in inspect.signature(build).parameters:
        options["operator"] = create_operator(4, ndim, causal=causal)
    return build(4, ndim, **options).eval()


def ndims_of(build: Build) -> Sequence[int]:
    """Return the numbers of grid axes that a mixer declares."""
    scheme: Any = getattr(build, "func", build)
    ndims: Sequence[int] = scheme.ndims
    return ndims
