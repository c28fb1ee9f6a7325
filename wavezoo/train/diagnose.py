"""Finds the wave layer that went wrong when training did."""

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from wavezoo.wave.operator import WaveOperator


@torch.no_grad()
def courant_margin(model: nn.Module, inputs: Sequence[Tensor]) -> float | None:
    """Return what is left to the stability bound in the layer of ``model`` that is nearest to it, on these inputs.

    Negative beyond the bound; None where no layer has one.
    """
    if not has_limit(model):
        return None
    with _recorded_inputs(model) as recorded:
        # Not by calling the model, which may be compiled: its layers' inputs could not be seen then.
        model.forward(*inputs)
    bounded = [(operator, x) for _, operator, x in recorded if math.isfinite(operator.integrator.stability_limit)]
    margins = [operator.simulate(x, every=operator.steps).margin.min().item() for operator, x in bounded]
    return min(margins, default=None)


def has_limit(model: nn.Module) -> bool:
    """Return whether a wave layer of ``model`` is stable up to some Courant number only."""
    operators = (module for module in model.modules() if isinstance(module, WaveOperator))
    return any(math.isfinite(each.integrator.stability_limit) for each in operators)


def explain_divergence(model: nn.Module, batch: Sequence[Tensor]) -> str:
    """Say which wave layer makes ``model`` diverge on a batch of inputs, and what to change."""
    broken = next((name for name, value in model.named_parameters() if not value.isfinite().all()), None)
    if broken is not None:
        return f"The parameter {broken} is not finite. Lower optimizer.lr, or set optimizer.clip_grad."
    with _recorded_inputs(model) as inputs, torch.no_grad():
        model.forward(*batch)
    for name, operator, x in inputs:
        if not x.isfinite().all():
            return f"The input of the wave layer {name} is not finite. Lower optimizer.lr, or set optimizer.clip_grad."
        run = operator.simulate(x)
        courant, limit = run.courant.max().item(), run.courant_limit.min().item()
        if (run.margin < 0).any() or not run.displacement.isfinite().all():
            gain = run.wecs.max().item()
            growth = f"grows {gain:.3g} times" if math.isfinite(gain) else "grows beyond all numbers"
            return (
                f"In the wave layer {name} the Courant number c dt reaches {courant:.3g} cells per step, the limit of "
                f"{type(operator.integrator).__name__} here is {limit:.3g}, and the energy {growth}. Set "
                "model.courant_guard=limit, or lower optimizer.lr or model.dt."
            )
    largest = max(inputs, key=lambda entry: entry[2].abs().max().item(), default=None)
    where = f"; the largest input of a wave layer is {largest[2].abs().max():.3g}, at {largest[0]}" if largest else ""
    return f"Every wave layer is below its stability limit{where}. Lower optimizer.lr, or set optimizer.clip_grad."


@contextmanager
def _recorded_inputs(model: nn.Module) -> Iterator[list[tuple[str, WaveOperator, Tensor]]]:
    inputs: list[tuple[str, WaveOperator, Tensor]] = []
    handles = [
        module.register_forward_pre_hook(
            lambda module, args, name=name: inputs.append((name, module, args[0].to(module.dt.dtype)))
        )
        for name, module in model.named_modules()
        if isinstance(module, WaveOperator)
    ]
    try:
        yield inputs
    finally:
        for handle in handles:
            handle.remove()
