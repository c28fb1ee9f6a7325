"""What keeps time steps stable: the limits of integrator and damping, and the guards that mind them.

Shapes: B batch, C channels, ``*G`` grid, ``(N,)`` or ``(H, W)``; channels first. Time is measured in steps.
"""

import math
from abc import ABC, abstractmethod
from typing import Any, NamedTuple

import torch
from torch import Tensor

from wavezoo.errors import WavezooError
from wavezoo.wave.damping.base import Damping
from wavezoo.wave.integrators.base import Integrator
from wavezoo.wave.laplacians.base import Laplacian
from wavezoo.wave.potentials.base import Potential
from wavezoo.wave.scheme import Grid
from wavezoo.wave.system import WaveSystem

# At the stability limit itself a scheme grows linearly; this much below it, rounding does not carry it across.
STABILITY_MARGIN = 0.95

# A nonlinear force is chaotic, and feeds energy in, well below the linear limit: a pendulum kicked once a step from
# (omega dt)² = 0.97 on (Chirikov 1979, Physics Reports 52, 263), and many that are coupled by waves from less on. Such
# media keep to four fifths of the limit, and their stiffness counts eight times: in 2,000 steps the energy of a
# medium of pendulums at both limits, of whatever amplitude, then doubles at most. Without, it grew up to 14 times.
CHAOS_LIMIT = 0.8
CHAOS_MARGIN = 8.0

# The fourth power of a ratio beyond this would overflow float32; what is bent is at its limit long before.
LARGEST_RATIO = 1e9
LARGEST_SQUARE = 1e36

# A grid of one cell carries no wave; the smallest radius keeps its limit finite.
SMALLEST_RADIUS = 1e-6


class Coefficients(NamedTuple):
    """What a medium is made of, per step.

    Attributes:
        speed_squared: (c dt)², in cells², broadcastable to ``(B, C, *G)``.
        gamma: γ dt, likewise.
        potential_scale: what the force is multiplied by, dt², likewise.
    """

    speed_squared: Tensor
    gamma: Tensor
    potential_scale: Tensor


class Guard(ABC):
    """What is done about time steps that are too long for integrator and damping.

    Args:
        integrator: the integrator.
        damping: the damping.

    Attributes:
        omega_dt: the largest stable ``omega dt``; infinite for no limit.
        gamma_dt: the largest stable damping rate times dt; infinite for no limit.
    """

    def __init__(self, integrator: Integrator, damping: Damping) -> None:
        self.omega_dt = integrator.stability_limit * damping.stability_factor
        self.gamma_dt = min(integrator.gamma_dt_limit, damping.gamma_dt_limit)
        self.schemes = f"{type(integrator).__name__} with {type(damping).__name__}"

    @abstractmethod
    def coefficients(
        self,
        u: Tensor,
        speed: Tensor,
        gamma: Tensor | None,
        dt: Tensor,
        schemes: tuple[Laplacian, Damping, Potential | None],
    ) -> Coefficients:
        """Return the coefficients of the medium for fields like ``u``.

        Args:
            u: displacement, ``(B, C, *G)``.
            speed: c, broadcastable to ``u``.
            gamma: γ, likewise; None where the damping does not use it.
            dt: time step, likewise.
            schemes: Laplacian, damping and potential.
        """

    def check(self, system: WaveSystem, u: Tensor, laplacian: Laplacian) -> None:
        """Raise an error where the medium is not stable, if the guard is one that raises."""
        return


class NoGuard(Guard):
    """Leaves all as it is, as published."""

    def coefficients(
        self,
        u: Tensor,
        speed: Tensor,
        gamma: Tensor | None,
        dt: Tensor,
        schemes: tuple[Laplacian, Damping, Potential | None],
    ) -> Coefficients:
        return Coefficients((speed * dt).square(), u.new_zeros(()) if gamma is None else gamma * dt, dt.square())


class RaisingGuard(NoGuard):
    """Raises an error beyond a limit, which reads numbers back from the device and breaks a compiled graph."""

    def check(self, system: WaveSystem, u: Tensor, laplacian: Laplacian) -> None:
        if u.device.type == "meta" or u.numel() == 0:
            return
        found = omega_dt_squared(system, u, laplacian).detach().amax().sqrt().item()
        if found > self.omega_dt:
            courant = system.speed_squared.detach().amax().sqrt().item()
            raise WavezooError(
                f"omega dt reaches {found:.3g} at a Courant number of {courant:.3g}, beyond the stability limit "
                f"{self.omega_dt:.3g} of {self.schemes}. Lower dt or the speed, take another integrator, or use "
                'courant_guard="limit".'
            )
        if (rate := system.damping_rate.detach().amax().item()) > self.gamma_dt:
            raise WavezooError(
                f"gamma dt reaches {rate:.3g}, beyond the limit {self.gamma_dt:.3g} of {self.schemes}. Lower dt or the "
                'damping, or use courant_guard="limit".'
            )


class LimitingGuard(Guard):
    """Keeps every cell of every sample below the limits, smoothly and by itself.

    Equation: with ``x = ((nu² rho + s) / w²)`` for the Courant number ``nu = c dt``, the Laplacian's spectral radius
    rho, the stiffness s of a potential and the stability limit w, ``nu²`` and the scale of the potential are multiplied
    by ``(1 + x⁴)^(-1/4)``. Without a potential that is ``nu <- nu / (1 + (nu / nu_max)⁸)^(1/8)``: a speed of half the
    limit is lowered by 0.05 %, one at the limit by 8 %. The damping is bent in the same way.
    """

    def __init__(self, integrator: Integrator, damping: Damping) -> None:
        super().__init__(integrator, damping)
        # None for no limit: a compiler that makes numbers dynamic cannot compute with infinity.
        self._omega_dt = None if math.isinf(self.omega_dt) else STABILITY_MARGIN * self.omega_dt
        self._gamma_dt = None if math.isinf(self.gamma_dt) else STABILITY_MARGIN * self.gamma_dt

    def coefficients(
        self,
        u: Tensor,
        speed: Tensor,
        gamma: Tensor | None,
        dt: Tensor,
        schemes: tuple[Laplacian, Damping, Potential | None],
    ) -> Coefficients:
        laplacian, damping, potential = schemes
        radius = spectral_radius(laplacian, u)
        gamma_dt = u.new_zeros(()) if gamma is None else self._limited_gamma(gamma, dt, damping, radius)
        if self._omega_dt is None:
            return Coefficients((speed * dt).square(), gamma_dt, dt.square())
        largest = self._omega_dt**2 / radius
        if potential is None:
            return Coefficients(bent(speed * (dt / largest.sqrt()), 2) * largest, gamma_dt, dt.square())
        margin = 1.0
        if not potential.quadratic:
            largest, margin = largest * CHAOS_LIMIT**2, CHAOS_MARGIN / CHAOS_LIMIT**2
        waves = (speed * (dt / largest.sqrt())).square().clamp(max=LARGEST_SQUARE)
        stiffness = (potential.stiffness(u) * dt.square() * (margin / self._omega_dt**2)).clamp(max=LARGEST_SQUARE)
        waves, factor = bent_together(waves, stiffness)
        return Coefficients(waves * largest, gamma_dt, dt.square() * factor)

    def _limited_gamma(self, gamma: Tensor, dt: Tensor, damping: Damping, radius: Tensor) -> Tensor:
        if self._gamma_dt is None:
            return gamma * dt
        # The rate is proportional to gamma; that of the finest wave is the largest.
        rate = damping.rate(torch.ones_like(dt), -radius if damping.in_modes else None).clamp(min=SMALLEST_RADIUS)
        return bent(gamma * (dt * rate / self._gamma_dt), 1) * (self._gamma_dt / rate)


GUARDS: dict[str, type[Guard]] = {"limit": LimitingGuard, "raise": RaisingGuard, "off": NoGuard}


def spectral_radius(laplacian: Laplacian, like: Tensor) -> Tensor:
    """Return the Laplacian's spectral radius on the grid of ``like``, broadcastable to it, positive."""
    grid: Grid = like.shape[2:]
    radius = laplacian.spectral_radius(grid)
    if isinstance(radius, Tensor):
        return radius.to(like.dtype).clamp(min=SMALLEST_RADIUS).view(-1, *[1] * len(grid))
    return like.new_full([1] * (len(grid) + 1), max(radius, SMALLEST_RADIUS))


def omega_dt_squared(system: WaveSystem, u: Tensor, laplacian: Laplacian) -> Tensor:
    """Return a bound on the square of ``omega dt`` that each cell's values stand for, shape of ``u``."""
    return (system.speed_squared * spectral_radius(laplacian, u) + system.stiffness(u)).expand_as(u)


def bent(ratio: Tensor, power: int) -> Tensor:
    """Return ``x / (1 + x⁴)^(1/4)`` for ``x = ratio^power``: x itself well below 1, and never more than 1.

    Its derivative, ``(1 + x⁴)^(-5/4)``, is written out, because the passes over memory of its parts would cost as much
    as a time step, and would cancel for large ratios.

    Args:
        ratio: not negative.
        power: 1 or 2.
    """
    # A compiler takes no function with a forward-mode rule, and differentiates only backwards.
    return (_Bent if torch.compiler.is_compiling() else _BentBothWays).apply(ratio, power)


def bent_together(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    """Return ``a h`` and ``h``, with ``h = (1 + x⁴)^(-1/4)`` for ``x = a + b``; both not negative, and finite."""
    return (_BentTogether if torch.compiler.is_compiling() else _BentTogetherBothWays).apply(a, b)


class _Bent(torch.autograd.Function):
    generate_vmap_rule = True

    @staticmethod
    def forward(ratio: Tensor, power: int) -> Tensor:
        # In place where it can be: fresh memory costs more than the arithmetic.
        x = ratio.clamp(max=LARGEST_RATIO ** (1 / power))
        x = x.mul_(x) if power == 2 else x
        y = x.square()
        return x.div_(y.mul_(y).add_(1).sqrt_().sqrt_())

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, int], output: Tensor) -> None:
        ctx.save_for_backward(inputs[0])
        ctx.save_for_forward(inputs[0])
        ctx.power = inputs[1]

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        return _sloped(gradient, ctx.saved_tensors[0], ctx.power), None


class _BentBothWays(_Bent):
    @staticmethod
    def jvp(ctx: Any, tangent: Tensor, _: None) -> Tensor:
        return _sloped(tangent, ctx.saved_tensors[0], ctx.power)


def _fourth_power_plus_one(x: Tensor) -> Tensor:
    squared = x.square()
    return torch.addcmul(x.new_ones(()), squared, squared)


def _sloped(change: Tensor, ratio: Tensor, power: int) -> Tensor:
    """Return ``change`` times the derivative of `bent` with respect to ``ratio``."""
    # Where a power overflows, the derivative is zero, as it is to rounding.
    y = _fourth_power_plus_one(ratio.square() if power == 2 else ratio)
    slope = y * y.sqrt().sqrt()
    return torch.addcdiv(change.new_zeros(()), change, slope, value=power) * ratio if power == 2 else change / slope


class _BentTogether(torch.autograd.Function):
    generate_vmap_rule = True

    @staticmethod
    def forward(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
        factor, _, _ = _factor(a + b)
        return a * factor, factor

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, Tensor], output: tuple[Tensor, Tensor]) -> None:
        ctx.save_for_backward(*inputs)
        ctx.save_for_forward(*inputs)

    @staticmethod
    def backward(ctx: Any, to_bent: Tensor, to_factor: Tensor) -> tuple[Tensor, Tensor]:
        a, b = ctx.saved_tensors
        own, other, of_factor = _slopes(a, b)
        to_a = to_bent * own + to_factor * of_factor
        to_b = to_bent * other + to_factor * of_factor
        return to_a.sum_to_size(a.shape), to_b.sum_to_size(b.shape)


class _BentTogetherBothWays(_BentTogether):
    @staticmethod
    def jvp(ctx: Any, of_a: Tensor, of_b: Tensor) -> tuple[Tensor, Tensor]:
        own, other, of_factor = _slopes(*ctx.saved_tensors)
        return own * of_a + other * of_b, of_factor * (of_a + of_b)


def _slopes(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return the derivatives of ``a h`` with respect to a and b, and that of h: sums of terms of one sign."""
    factor, cube, rest = _factor(a + b)
    return factor * (rest + b * cube), -a * factor * cube, -factor * cube


def _factor(x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return ``(1 + x⁴)^(-1/4)``, ``x³ / (1 + x⁴)`` and ``1 / (1 + x⁴)``, without overflow."""
    large = x.clamp(min=1)
    small = torch.where(x > 1, 1 / large, x)
    y = _fourth_power_plus_one(small)
    cube = torch.where(x > 1, small, small * small.square()) / y
    rest = (1 / large).square().square() / y
    return 1 / (large * y.sqrt().sqrt()), cube, rest
