"""The damped oscillator in closed form: what a mode of the wave equation does.

Shapes: any; all arguments broadcast.
"""

from typing import Any

import torch
from torch import Tensor

# Below this, series in (omega t)² are exact to rounding in float32, and to 1e-11 in float64.
SMALL = 0.05

# Phases below this, whose square may be zero, stand for zero: the sine over its argument is 1 there.
SMALLEST_PHASE = 1e-18

# sin(x) / x has the derivative g(x²) sin(x) / x by x²; the coefficients of g, those of (x cot x - 1) / (2 x²).
LOGARITHMIC_SLOPE = (-1 / 6, -1 / 90, -1 / 945, -1 / 9450, -1 / 93555)

# Up to this x² they give g to rounding; beyond, a difference does that loses no more than 6 times the rounding.
LARGEST_SERIES = 0.5
LARGEST_DOUBLE_SERIES = 0.02


class Propagator:
    """The coefficients of ``u⁺ = uu u + uv v``, ``v⁺ = vu u + vv v``.

    Args:
        uu: what the displacement does to the displacement.
        uv: what the velocity does to the displacement.
        omega_squared: omega², in 1 / time².
        gamma: damping rate, in 1 / time.
    """

    def __init__(self, uu: Tensor, uv: Tensor, omega_squared: Tensor, gamma: Tensor) -> None:
        self.uu = uu
        self.uv = uv
        self._omega_squared = omega_squared
        self._gamma = gamma
        self._of_velocity: tuple[Tensor, Tensor] | None = None

    @property
    def vu(self) -> Tensor:
        """What the displacement does to the velocity; computed when first asked for."""
        return self._velocity_coefficients()[0]

    @property
    def vv(self) -> Tensor:
        """What the velocity does to the velocity; computed when first asked for."""
        return self._velocity_coefficients()[1]

    def displacement(self, u: Tensor, v: Tensor | None) -> Tensor:
        """Return the displacement after the time of the propagator; ``v`` of None stands for rest."""
        return self.uu * u if v is None else self.uu * u + self.uv * v

    def velocity(self, u: Tensor, v: Tensor | None) -> Tensor:
        """Return the velocity after the time of the propagator."""
        return self.vu * u if v is None else self.vu * u + self.vv * v

    def _velocity_coefficients(self) -> tuple[Tensor, Tensor]:
        if self._of_velocity is None:
            self._of_velocity = -self._omega_squared * self.uv, self.uu - self._gamma * self.uv
        return self._of_velocity


def propagator(omega_squared: Tensor, gamma: Tensor, time: Tensor | float) -> Propagator:
    """Return the exact solution of ``u'' = -omega² u - gamma u'`` over ``time``, which may be negative.

    With ``s = gamma / 2``, ``w² = omega² - s²`` and ``S = sin(w t) / w``::

        u⁺ = e^(-s t) [cos(w t) u + S (v + s u)]
        v⁺ = e^(-s t) [cos(w t) v - S (s v + omega² u)]

    with cosh and sinh where ``w² < 0``, whose growth is taken together with the decay so that nothing overflows, and so
    that what is slow, ``-s t + |w| t = -omega² t / (s + |w|)``, is not the difference of what is large.

    One root, one cosine, one sine, two exponentials and one hyperbolic tangent of every mode. The gradients, for all
    three arguments, are written in terms of the coefficients themselves: with
    ``D = ∂uv/∂omega² = (e^(-s t) t cos(w t) - uv) / (2 w²)``::

        ∂uu/∂omega² = s D - t uv / 2    ∂uu/∂s = -2 omega² D        ∂uu/∂t = vu
                                        ∂uv/∂s = -t uv - 2 s D      ∂uv/∂t = vv

    Every derivative works: backward and forward mode, their nesting and `torch.func.vmap`.

    Accuracy in float32, for phases ``omega t`` up to 20 and damping ``gamma t`` up to 10: coefficients to 3e-6 of 1
    (of t for ``uv``), which is the rounding of the phase; gradients to 1e-5 of the largest.

    Args:
        omega_squared: omega², in 1 / time², not negative.
        gamma: damping rate, in 1 / time.
        time: how long.
    """
    if not isinstance(time, Tensor):
        time = omega_squared.new_full((), time)
    # A compiler takes no function with a forward-mode rule, and differentiates only backwards.
    function = _Displacement if torch.compiler.is_compiling() else _DisplacementBothWays
    uu, uv = function.apply(omega_squared, gamma / 2, time)
    return Propagator(uu, uv, omega_squared, gamma)


def sinc(squared: Tensor) -> Tensor:
    """Return ``sin(x) / x`` from ``x²``, smooth at zero."""
    small = squared < SMALL
    x = torch.where(small, 1.0, squared).sqrt()
    # Where it is large, its powers would overflow, and with them the gradient.
    near = squared.where(small, 0.0)
    total = torch.ones_like(squared)
    for n in range(5, 0, -1):
        total = 1 - total * near / ((2 * n + 1) * (2 * n))
    return torch.where(small, total, x.sin() / x)


class _Displacement(torch.autograd.Function):
    """The coefficients uu and uv."""

    generate_vmap_rule = True

    @staticmethod
    def forward(omega_squared: Tensor, s: Tensor, t: Tensor) -> tuple[Tensor, Tensor]:
        # In place where it can be: fresh memory costs more than the arithmetic.
        squared = (omega_squared - s.square()) * t.square()
        overdamped = squared < 0
        phase = squared.abs_().sqrt_().clamp(min=SMALLEST_PHASE)
        # Overdamped modes decay as the slow exponential does, which takes the fast one with it as a factor.
        slow = (omega_squared * (t * t.abs())).div(s * t.abs() + phase)
        decay = torch.where(overdamped, slow, s * t).neg_().exp_()
        growing = (phase * (-2 * t.sign())).exp_().add_(1).div_(2)
        cosine = torch.where(overdamped, growing, phase.cos()).mul_(decay)
        # By the tangent, whose product is exact for short phases, as the difference of exponentials is not.
        sine = torch.where(overdamped, growing.mul_(phase.tanh()), phase.sin()).mul_(decay).div_(phase).mul_(t)
        return torch.addcmul(cosine, sine, s), sine

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, ...], output: tuple[Tensor, ...]) -> None:
        ctx.save_for_backward(*inputs, *output)

    @staticmethod
    def backward(ctx: Any, *to_outputs: Tensor | None) -> tuple[Tensor | None, ...]:
        given, wanted = ctx.saved_tensors, ctx.needs_input_grad
        slope = _slope(*given) if wanted[0] or wanted[1] else None
        found: list[Tensor | None] = []
        for which, each in enumerate(given[:3]):
            terms = [
                gradient * _derivative(output, which, slope, *given)
                for output, gradient in enumerate(to_outputs)
                if gradient is not None and wanted[which]
            ]
            found.append(sum(terms[1:], terms[0]).sum_to_size(each.shape) if terms else None)
        return tuple(found)


class _DisplacementBothWays(_Displacement):
    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, ...], output: tuple[Tensor, ...]) -> None:
        ctx.save_for_backward(*inputs, *output)
        ctx.save_for_forward(*inputs, *output)
        # At rest nobody asks for uv, and its part of the gradient is not computed.
        ctx.set_materialize_grads(False)

    @staticmethod
    def jvp(ctx: Any, *tangents: Tensor | None) -> tuple[Tensor, ...]:
        given = ctx.saved_tensors
        slope = _slope(*given)
        changes = []
        for output, value in enumerate(given[3:]):
            total = torch.zeros_like(value)
            for which, tangent in enumerate(tangents):
                if tangent is not None:
                    total = total + tangent * _derivative(output, which, slope, *given)
            changes.append(total)
        return tuple(changes)


def _derivative(
    output: int, which: int, slope: Tensor | None, omega_squared: Tensor, s: Tensor, t: Tensor, uu: Tensor, uv: Tensor
) -> Tensor:
    """Return the derivative of uu (0) or uv (1) by omega² (0), s (1) or t (2), given that of uv by omega²."""
    if which == 2:
        return -omega_squared * uv if output == 0 else torch.addcmul(uu, uv, s, value=-2)
    assert slope is not None
    if which == 1:
        return omega_squared * -2 * slope if output == 0 else torch.addcmul(uv * -t, slope, s, value=-2)
    return torch.addcmul(slope * s, uv, t, value=-0.5) if output == 0 else slope


def sine_slope(w_squared: Tensor, t: Tensor, difference: Tensor, sine: Tensor) -> Tensor:
    """Return the derivative of ``S = e^(-s t) sin(w t) / w`` by w², for any sign of w².

    Args:
        w_squared: w².
        t: time.
        difference: ``e^(-s t) t cos(w t) - S``.
        sine: S.
    """
    squared = w_squared * t.square()
    largest = LARGEST_DOUBLE_SERIES if squared.dtype == torch.float64 else LARGEST_SERIES
    near = squared.clamp(-largest, largest)
    small = near == squared
    series = near * LOGARITHMIC_SLOPE[-1]
    for coefficient in LOGARITHMIC_SLOPE[-2:0:-1]:
        series = series.add_(coefficient).mul(near)
    series = series.add_(LOGARITHMIC_SLOPE[0]) * t.square() * sine
    return torch.where(small, series, difference / torch.where(small, 1.0, w_squared * 2))


def _slope(omega_squared: Tensor, s: Tensor, t: Tensor, uu: Tensor, uv: Tensor) -> Tensor:
    """Return the derivative of uv by omega²."""
    return sine_slope(omega_squared - s.square(), t, torch.addcmul(uu * t, uv, 1 + s * t, value=-1), uv)
