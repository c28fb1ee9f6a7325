"""Assertions and measurements that the suites share."""

import copy
import io
import math
import pickle
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

# Rounding errors accumulate over a few hundred operations; this many units in the last place allow for it.
ROUNDING_UNITS = 1e4


def slow(check: Callable[..., None]) -> Callable[..., None]:
    """Mark a check that takes seconds."""
    check.slow = True  # type: ignore[attr-defined]
    return check


def require(condition: bool | Tensor, message: str) -> None:
    """Raise AssertionError with ``message`` unless ``condition`` holds."""
    if not condition:
        raise AssertionError(message)


def require_close(actual: Tensor, expected: Tensor, message: str, units: float = ROUNDING_UNITS) -> None:
    """Raise AssertionError unless two tensors agree to ``units`` rounding errors of their dtype."""
    tolerance = units * torch.finfo(actual.dtype).eps
    scale = max(expected.detach().abs().max().item(), 1e-30)
    error = (actual.detach() - expected.detach()).abs().max().item() / scale
    require(error <= tolerance, f"{message}: relative difference {error:.2e}, allowed {tolerance:.2e}")


def observed_order(sizes: Sequence[float], errors: Sequence[float]) -> float:
    """Return the slope of ``log error`` over ``log size``, by least squares."""
    x = torch.tensor(sizes, dtype=torch.float64).log()
    y = torch.tensor(errors, dtype=torch.float64).log()
    x = x - x.mean()
    return (x @ y / (x @ x)).item()


def require_order(observed: float, declared: float, what: str) -> None:
    """Raise AssertionError unless an observed order is within 0.2 of the declared one."""
    kept = observed == declared or abs(observed - declared) <= 0.2
    require(kept, f"{what}: observed order {observed:.2f}, declared {declared:g}")


def random_input(shape: Sequence[int], dtype: torch.dtype = torch.float64, seed: int = 0) -> Tensor:
    """Return standard normal numbers that depend on ``seed`` alone."""
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).to(dtype)


def grids(ndims: Sequence[int]) -> list[tuple[int, ...]]:
    """Return odd, even and non-square grids for each number of axes in ``ndims``."""
    by_ndim: dict[int, list[tuple[int, ...]]] = {1: [(8,), (9,)], 2: [(8, 8), (7, 10), (9, 5)]}
    return [grid for ndim in ndims for grid in by_ndim[ndim]]


def require_keeps_dtype_and_device(build: Callable[[torch.dtype], nn.Module], shape: Sequence[int]) -> None:
    """Raise AssertionError unless a module's output has its input's dtype and device, the meta device included."""
    for dtype in (torch.float32, torch.float64):
        for device in ("cpu", "meta"):
            output = build(dtype).to(device)(random_input(shape, dtype).to(device))
            require(output.dtype == dtype, f"{dtype} input gives {output.dtype} output")
            require(output.device.type == device, f"input on {device} gives output on {output.device}")


def require_batch_independent(function: Callable[[Tensor], Tensor], shape: Sequence[int]) -> None:
    """Raise AssertionError if a sample's output changes with the samples beside it."""
    x = random_input(shape)
    alone = function(x[:1])
    if len(alone.shape) and function(x).shape[0] == 1:
        return
    others = torch.cat([x[:1], 100 * x[1:] + 1])
    require_close(function(others)[:1], alone, "a sample's result depends on its batch")


def require_copies(scheme: Any, output: Callable[[Any], Tensor]) -> None:
    """Raise AssertionError unless deepcopy and pickle give a scheme with the same output."""
    buffer = io.BytesIO()
    pickle.dump(scheme, buffer)
    buffer.seek(0)
    expected = output(scheme)
    for how, clone in (("deepcopy", copy.deepcopy(scheme)), ("pickle", pickle.load(buffer))):
        require(torch.equal(output(clone), expected), f"a {how} gives another output")


def require_full_initialisation(build: Callable[[], nn.Module]) -> None:
    """Raise AssertionError unless `reset_parameters`, children first, sets all that a module's state holds."""
    fresh, module = build(), build()
    with torch.no_grad():
        for value in module.state_dict().values():
            value.fill_(math.nan)
    for each in reversed(list(module.modules())):
        if callable(reset := getattr(each, "reset_parameters", None)):
            reset()
    expected = fresh.state_dict()
    for name, value in module.state_dict().items():
        require(value.isfinite().all(), f"reset_parameters leaves {name} as it was")
        if (expected[name] == expected[name].flatten()[0]).all():
            require(torch.equal(value, expected[name]), f"reset_parameters gives {name} another value than a fresh one")


def require_gradcheck(function: Callable[..., Tensor], *inputs: Tensor, forward_mode: bool = True) -> None:
    """Raise AssertionError unless analytic and numerical gradients agree in float64, backwards and in forward mode."""
    arguments = [each.detach().clone().requires_grad_() for each in inputs]
    agree = torch.autograd.gradcheck(function, arguments, raise_exception=False)
    require(agree, "gradients differ from numerical ones")
    if not forward_mode:
        return
    with warnings.catch_warnings():
        # torch compiles some of its own forward-mode rules in a way that it warns of.
        warnings.simplefilter("ignore", FutureWarning)
        # In one direction, drawn at random, which is enough to see a rule that is missing or wrong.
        agree = torch.autograd.gradcheck(
            function, arguments, raise_exception=False, check_forward_ad=True, check_backward_ad=False, fast_mode=True
        )
    require(agree, "derivatives in forward mode differ from numerical ones")


def relative(value: float, reference: float) -> float:
    """Return ``|value - reference| / |reference|``, infinite for a value that is not finite."""
    return abs(value - reference) / abs(reference) if math.isfinite(value) else math.inf


def growth(start: Tensor, end: Tensor) -> float:
    """Return by what factor the largest value has grown, infinite where it is not finite."""
    factor = (end.abs().max() / start.abs().max()).item()
    return factor if math.isfinite(factor) else math.inf
