"""Weighted sums of a damped oscillator's motions at many times: what looks at a mode of the wave equation add up to.

Shapes: B batch or 1, C channels, J looks, K modes in one axis, R sums; channels first.
"""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from wavezoo.wave.spectral.oscillator import SMALLEST_PHASE, propagator, sine_slope

# Numbers of a slice of the looks, measured on a CPU: its dozen intermediate results then stay in the cache.
SLICE = 2**16


def superposed(
    omega_squared: Tensor, gamma: Tensor, times: Tensor, of_cosine: Tensor, of_sine: Tensor
) -> tuple[Tensor, Tensor]:
    """Return weighted sums over looks of ``e^(-s t) cos(w t)``, and others of ``e^(-s t) sin(w t) / w``.

    Where ``s = gamma / 2``, ``w² = omega² - s²``, and with cosh and sinh where ``w² < 0``. Per mode and look, two
    exponentials, a cosine and a sine, in slices of looks; the backward pass keeps the arguments and computes the rest
    again. With ``P`` and ``Q`` for the two functions and ``D = ∂Q/∂w² = (t P - Q) / (2 w²)``::

        ∂P/∂w² = -t Q / 2    ∂P/∂s = -t P    ∂P/∂t = -s P - w² Q
        ∂Q/∂w² = D           ∂Q/∂s = -t Q    ∂Q/∂t = P - s Q

    Every derivative works: backward and forward mode, their nesting and `torch.func.vmap`.

    Args:
        omega_squared: omega², ``(B, C, K)``, in 1 / time², not negative.
        gamma: damping rate, broadcastable to it, in 1 / time.
        times: ``(C, J)``, not negative.
        of_cosine: weights of the first function, ``(C, R, J)``.
        of_sine: weights of the second, likewise, of other sums.

    Returns:
        The sums of both functions, ``(B, C, R, K)``.
    """
    s = gamma / 2
    if not torch.compiler.is_compiling():
        cosines, sines = _Superposition.apply(omega_squared, s, times, of_cosine, of_sine)
        return cosines, sines
    return _summed(omega_squared, s, times, of_cosine, of_sine)


class _Superposition(torch.autograd.Function):
    generate_vmap_rule = True

    @staticmethod
    def forward(
        omega_squared: Tensor, s: Tensor, times: Tensor, of_cosine: Tensor, of_sine: Tensor
    ) -> tuple[Tensor, Tensor]:
        return _summed(omega_squared, s, times, of_cosine, of_sine)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, ...], output: tuple[Tensor, ...]) -> None:
        ctx.save_for_backward(*inputs)
        ctx.save_for_forward(*inputs)

    @staticmethod
    def backward(ctx: Any, to_cosines: Tensor, to_sines: Tensor) -> tuple[Tensor, ...]:
        omega_squared, s, times, of_cosine, of_sine = ctx.saved_tensors
        w_squared = (omega_squared - s.square())[:, :, None]
        to_w_squared, to_s = torch.zeros_like(omega_squared), torch.zeros_like(omega_squared)
        to_times, to_of_cosine, to_of_sine = [], [], []
        for looks, cosine, sine in _motions(omega_squared, s, times):
            t = times[:, looks, None]
            to_cosine, to_sine = of_cosine[..., looks].mT @ to_cosines, of_sine[..., looks].mT @ to_sines
            to_of_cosine.append(to_cosines @ cosine.mT)
            to_of_sine.append(to_sines @ sine.mT)
            decay, turn = to_cosine * cosine + to_sine * sine, to_cosine * sine
            slope = sine_slope(w_squared, t, torch.addcmul(-sine, cosine, t), sine)
            to_w_squared = to_w_squared + torch.addcmul(to_sine * slope, turn, t, value=-0.5).sum(2)
            to_s = to_s - (decay * t).sum(2)
            change = torch.addcmul(to_sine * cosine, turn, w_squared, value=-1)
            to_times.append(torch.addcmul(change, decay, s[:, :, None], value=-1).sum(-1))
        to_s = torch.addcmul(to_s, to_w_squared, s, value=-2)
        return (
            to_w_squared.sum_to_size(omega_squared.shape),
            to_s.sum_to_size(s.shape),
            torch.cat(to_times, -1).sum(0),
            torch.cat(to_of_cosine, -1).sum(0),
            torch.cat(to_of_sine, -1).sum(0),
        )

    @staticmethod
    def jvp(ctx: Any, *tangents: Tensor | None) -> tuple[Tensor, Tensor]:
        omega_squared, s, times, of_cosine, of_sine = given = ctx.saved_tensors
        of_omega_squared, of_s, of_times, of_cosine_weight, of_sine_weight = (
            torch.zeros_like(one) if tangent is None else tangent for one, tangent in zip(given, tangents, strict=True)
        )
        w_squared = (omega_squared - s.square())[:, :, None]
        bend, s, of_s = (of_omega_squared - 2 * s * of_s)[:, :, None], s[:, :, None], of_s[:, :, None]
        cosines, sines = torch.zeros((), device=s.device), torch.zeros((), device=s.device)
        for looks, cosine, sine in _motions(omega_squared, ctx.saved_tensors[1], times):
            t, faster = times[:, looks, None], of_times[:, looks, None]
            slope = sine_slope(w_squared, t, cosine * t - sine, sine)
            of_cosine_value = -(s * cosine + w_squared * sine) * faster - t * sine / 2 * bend - t * cosine * of_s
            of_sine_value = (cosine - s * sine) * faster + slope * bend - t * sine * of_s
            cosines = cosines + of_cosine[..., looks] @ of_cosine_value + of_cosine_weight[..., looks] @ cosine
            sines = sines + of_sine[..., looks] @ of_sine_value + of_sine_weight[..., looks] @ sine
        return cosines, sines


def _summed(
    omega_squared: Tensor, s: Tensor, times: Tensor, of_cosine: Tensor, of_sine: Tensor
) -> tuple[Tensor, Tensor]:
    cosines: Tensor | None = None
    sines: Tensor | None = None
    for looks, cosine, sine in _motions(omega_squared, s, times):
        more_cosines, more_sines = of_cosine[..., looks] @ cosine, of_sine[..., looks] @ sine
        cosines = more_cosines if cosines is None else cosines + more_cosines
        sines = more_sines if sines is None else sines + more_sines
    assert cosines is not None
    assert sines is not None
    return cosines, sines


def _motions(omega_squared: Tensor, s: Tensor, times: Tensor) -> Iterator[tuple[slice, Tensor, Tensor]]:
    """Yield looks, and both functions at their times, ``(B, C, looks, K)``."""
    looks = max(1, SLICE // max(1, omega_squared.numel()))
    slices = (slice(first, first + looks) for first in range(0, times.shape[1], looks))
    if torch.is_grad_enabled() or torch.compiler.is_compiling():
        # With derivatives of its own.
        omega_squared, s = omega_squared[:, :, None], s[:, :, None]
        for each in slices:
            exact = propagator(omega_squared, 2 * s, times[:, each, None])
            yield each, exact.uu - s * exact.uv, exact.uv
        return
    squared = omega_squared - s.square()
    # As a weight, which is several times as fast as a mask.
    overdamped = (squared < 0).to(squared.dtype)[:, :, None]
    w = squared.abs().sqrt().clamp(min=SMALLEST_PHASE)
    # Overdamped modes decay as the slow exponential does, which takes the fast one with it as a factor.
    rate = torch.where(squared < 0, omega_squared / (s + w), s)[:, :, None]
    w = w[:, :, None]
    inverse = 1 / w
    for each in slices:
        t = times[:, each, None]
        phase, decay = w * t, (rate * -t).exp_()
        tangent = phase.tanh()
        # cosh(x) = e^x / (1 + tanh(x)); in place, since fresh memory costs more than the arithmetic.
        grown = (tangent + 1).reciprocal_()
        cosine = phase.cos().lerp_(grown, overdamped).mul_(decay)
        yield each, cosine, phase.sin_().lerp_(tangent.mul_(grown), overdamped).mul_(decay.mul_(inverse))
