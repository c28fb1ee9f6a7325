"""The wave operator: a layer that lets its input travel as a wave.

Shapes: B batch, C channels, ``*G`` grid, ``(N,)`` or ``(H, W)``; T recorded times.
"""

from contextlib import AbstractContextManager, nullcontext
from typing import NamedTuple

import torch
from torch import Tensor, nn

from wavezoo.contracts import Damping, Grid, Integrator, Laplacian, ParameterField, WaveState, WaveSystem
from wavezoo.errors import WavezooError, not_allowed, require_positive
from wavezoo.layers import conv

INITIAL_VELOCITIES = ("zero", "projected")
READOUTS = ("displacement", "velocity", "projected")
COURANT_GUARDS = ("limit", "off")

# At the stability limit itself a scheme grows linearly; this much below it, rounding does not carry it across.
STABILITY_MARGIN = 0.95

# Squares of Courant numbers beyond this would overflow float32; the guard brings them back below the limit anyway.
LARGEST_COURANT_NUMBER = 1e6


class Trajectory(NamedTuple):
    """What `WaveOperator.simulate` records.

    Attributes:
        times: ``(T,)``, in steps.
        displacement: ``(T, B, C, *G)``.
        velocity: ``(T, B, C, *G)``, in displacement per step.
        energy: ``(T, B)``, weighted by 1/c².
        courant: largest Courant number of each sample, ``(B,)``, in cells per step.
        courant_limit: the largest stable Courant number.
    """

    times: Tensor
    displacement: Tensor
    velocity: Tensor
    energy: Tensor
    courant: Tensor
    courant_limit: float

    @property
    def wecs(self) -> Tensor:
        """The wave energy conservation score ``E(tau) / E(0)`` of each sample, ``(B,)`` (Vejendla 2025)."""
        return self.energy[-1] / self.energy[0]


class WaveOperator(nn.Module):
    """Solves ``u_tt = c(x)² ∇²u - γ(x) u_t`` from its input, for ``steps`` time steps (Vejendla 2025, equations 1-4).

    The input gives the initial displacement, the speed c, the damping γ and, if asked for, the initial velocity; the
    output has its shape and dtype. Any grid size works, odd or even. The solver runs in float32 or better whatever
    autocast says; the convolutions that make fields and projections follow autocast like any others.

    Time is measured in steps inside: with the speed ``c dt``, in cells per step (the Courant number), and the damping
    ``γ dt``, the integrator takes steps of length 1, and the learned ``dt`` gets its gradient through them.

    Args:
        channels: number of channels C.
        laplacian: the Laplacian; its ``ndim`` is the operator's.
        integrator: the time integrator.
        speed: the field that gives c from the input, in cells / time.
        damping: the damping scheme.
        damping_field: the field that gives γ, in 1 / time; None if and only if ``damping`` does not use it.
        steps: number of time steps.
        dt: initial time step; learned, as its logarithm.
        dt_per_channel: learn one ``dt`` for each channel instead of one for the layer.
        initial_velocity: ``"zero"``, or ``"projected"``: a learned 1x1 convolution of the input.
        readout: ``"displacement"``, ``"velocity"``, or ``"projected"``: a learned 1x1 convolution of both.
        courant_guard: ``"limit"`` keeps the Courant number of every cell below the stability limit, smoothly and by
            itself, ``nu <- nu / sqrt(1 + (nu / nu_max)²)``, and ``γ dt`` below the limits of integrator and damping,
            where they have one; ``"off"`` leaves both as they are, as published.

    Raises:
        WavezooError: if an option is out of range, or if the schemes do not fit each other.
    """

    def __init__(
        self,
        channels: int,
        laplacian: Laplacian,
        integrator: Integrator,
        speed: ParameterField,
        damping: Damping,
        damping_field: ParameterField | None = None,
        *,
        steps: int = 4,
        dt: float = 0.5,
        dt_per_channel: bool = False,
        initial_velocity: str = "zero",
        readout: str = "displacement",
        courant_guard: str = "limit",
    ) -> None:
        super().__init__()
        _check_options(steps, dt, initial_velocity, readout, courant_guard)
        _check_schemes(laplacian, integrator, damping, damping_field, courant_guard)
        self.channels = channels
        self.ndim = laplacian.ndim
        self.steps = steps
        self.courant_guard = courant_guard
        self.laplacian = laplacian
        self.integrator = integrator
        self.speed = speed
        self.damping = damping
        self.damping_field = damping_field
        self.log_dt = nn.Parameter(torch.full((channels if dt_per_channel else 1,), dt).log())
        self.velocity_projection = self._projection(channels) if initial_velocity == "projected" else None
        self.readout = readout
        self.readout_projection = self._projection(2 * channels) if readout == "projected" else None

    @property
    def dt(self) -> Tensor:
        """The time step, shape ``(1,)`` or ``(C,)``."""
        return self.log_dt.exp()

    def forward(self, x: Tensor) -> Tensor:
        """Map ``x`` of shape ``(B, C, *G)`` to the wave at ``steps * dt``, same shape and dtype.

        Raises:
            WavezooError: if ``x`` has another number of channels or grid axes.
        """
        system, state = self._start(x)
        with _without_autocast(x.device):
            state = self.integrator.init(system, state.u, state.v)
            for _ in range(self.steps):
                state = self.integrator.step(system, state, 1.0)
        return self._read(state).to(x.dtype)

    @torch.no_grad()
    def simulate(self, x: Tensor, steps: int | None = None, every: int = 1) -> Trajectory:
        """Run the layer for analysis and record it; the field, its velocity and its energy at every ``every``-th step.

        Args:
            x: input, ``(B, C, *G)``.
            steps: number of steps; the layer's own by default.
            every: distance of the records, in steps.

        Raises:
            WavezooError: if ``x`` does not fit, or if ``steps`` or ``every`` is less than 1.
        """
        _require_count("steps", self.steps if steps is None else steps)
        _require_count("every", every)
        system, state = self._start(x)
        records = []
        with _without_autocast(x.device):
            state = self.integrator.init(system, state.u, state.v)
            for step in range((self.steps if steps is None else steps) + 1):
                if step:
                    state = self.integrator.step(system, state, 1.0)
                if step % every == 0:
                    records.append((torch.tensor(step), state.u, state.v, system.energy(state.u, state.v)))
        times, displacement, velocity, energy = (torch.stack(column) for column in zip(*records, strict=True))
        courant = system.speed_squared.sqrt().expand_as(state.u).flatten(1).amax(1)
        return Trajectory(times, displacement, velocity, energy, courant, self.courant_limit(x.shape[2:]))

    def courant_limit(self, grid: Grid) -> float:
        """Return the largest Courant number ``c dt`` that is stable on ``grid``, in cells per step."""
        limit = self.integrator.stability_limit * self.damping.stability_factor
        # A grid of one cell carries no wave; the smallest radius keeps its limit finite.
        return limit / max(self.laplacian.spectral_radius(grid), 1e-6) ** 0.5

    def extra_repr(self) -> str:
        return (
            f"channels={self.channels}, integrator={type(self.integrator).__name__}, "
            f"damping={type(self.damping).__name__}, steps={self.steps}, courant_guard={self.courant_guard!r}, "
            f"readout={self.readout!r}"
        )

    def _projection(self, in_channels: int) -> nn.Module:
        return conv(self.ndim)(in_channels, self.channels, 1)

    def _start(self, x: Tensor) -> tuple[WaveSystem, WaveState]:
        """Return the medium that ``x`` makes and the state that it starts from, with time in steps."""
        if x.ndim != self.ndim + 2 or x.shape[1] != self.channels:
            grid = "(B, C, N)" if self.ndim == 1 else "(B, C, H, W)"
            raise WavezooError(
                f"input of shape {tuple(x.shape)} does not fit a wave operator on {grid} with C = {self.channels}."
            )
        velocity = torch.zeros_like(x) if self.velocity_projection is None else self.velocity_projection(x)
        speed = self.speed(x)
        gamma = None if self.damping_field is None else self.damping_field(x)
        dtype = torch.promote_types(x.dtype, torch.float32)
        with _without_autocast(x.device):
            u = x.to(dtype)
            dt = self.log_dt.to(dtype).exp().view(1, -1, *[1] * self.ndim)
            system = WaveSystem(
                self.laplacian.bind(u),
                self._limited_square(speed.to(dtype) * dt, x.shape[2:]),
                self.damping,
                u.new_zeros(()) if gamma is None else self._limited_damping(gamma.to(dtype) * dt),
            )
        return system, WaveState(u, velocity.to(dtype))

    def _limited_square(self, courant: Tensor, grid: Grid) -> Tensor:
        if self.courant_guard == "off" or self.integrator.stability_limit == float("inf"):
            return courant.square()
        limit = STABILITY_MARGIN * self.courant_limit(grid)
        square = courant.clamp(max=LARGEST_COURANT_NUMBER).square()
        return square / (1 + square / limit**2)

    def _limited_damping(self, gamma_dt: Tensor) -> Tensor:
        limit = STABILITY_MARGIN * min(self.integrator.gamma_dt_limit, self.damping.gamma_dt_limit)
        if self.courant_guard == "off" or limit == float("inf"):
            return gamma_dt
        return gamma_dt / (1 + gamma_dt / limit)

    def _read(self, state: WaveState) -> Tensor:
        if self.readout_projection is not None:
            both = torch.cat([state.u, state.v], 1)
            return self.readout_projection(both.to(self.log_dt.dtype))
        return state.u if self.readout == "displacement" else state.v


def _without_autocast(device: torch.device) -> AbstractContextManager[object]:
    """Return a context without autocast, or none where ``device`` (the meta device) knows none."""
    if torch.amp.is_autocast_available(device.type):
        return torch.autocast(device.type, enabled=False)
    return nullcontext()


def _require_count(what: str, value: int) -> None:
    if not isinstance(value, int) or value < 1:
        raise WavezooError(f"{what} is {value!r}; give a whole number of time steps, at least 1.")


def _check_options(steps: int, dt: float, initial_velocity: str, readout: str, courant_guard: str) -> None:
    _require_count("steps", steps)
    require_positive("dt", dt)
    for what, value, allowed in (
        ("initial_velocity", initial_velocity, INITIAL_VELOCITIES),
        ("readout", readout, READOUTS),
        ("courant_guard", courant_guard, COURANT_GUARDS),
    ):
        if value not in allowed:
            raise not_allowed(what, value, allowed)


def _check_schemes(
    laplacian: Laplacian,
    integrator: Integrator,
    damping: Damping,
    damping_field: ParameterField | None,
    courant_guard: str,
) -> None:
    if laplacian.ndim not in laplacian.ndims:
        raise not_allowed(f"number of grid axes of {type(laplacian).__name__}", laplacian.ndim, laplacian.ndims)
    if courant_guard == "limit" and integrator.stability_limit == 0:
        raise WavezooError(
            f"{type(integrator).__name__} has a stability limit of 0, so no Courant number is below it. "
            'Use another integrator, such as velocity_verlet, or courant_guard="off".'
        )
    if damping.uses_gamma and damping_field is None:
        raise WavezooError(f"{type(damping).__name__} needs a damping field; give one, such as pointwise.")
    if damping_field is not None and not damping.uses_gamma:
        raise WavezooError(
            f"{type(damping).__name__} does not read the damping field {type(damping_field).__name__}; "
            "leave the field out, or choose another damping, such as exponential."
        )
