"""The wave operator: a layer that lets its input travel as a wave.

Shapes: B batch, C channels, ``*G`` grid, ``(N,)`` or ``(H, W)``; T recorded times.
"""

import math
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from typing import NamedTuple

import torch
from torch import Tensor, nn

from wavezoo.errors import WavezooError, require_positive
from wavezoo.wave.adjoint import GRADIENTS, differentiable
from wavezoo.wave.compatibility import check_options, check_schemes, require_count
from wavezoo.wave.convolution import conv
from wavezoo.wave.damping.base import Damping
from wavezoo.wave.drifts.base import Drift
from wavezoo.wave.fields.base import ParameterField
from wavezoo.wave.integrators.base import Integrator
from wavezoo.wave.laplacians.base import Laplacian
from wavezoo.wave.potentials.base import Potential
from wavezoo.wave.scheme import Grid
from wavezoo.wave.stability import LARGEST_COURANT_NUMBER, limited_square
from wavezoo.wave.system import WaveSystem

INITIAL_VELOCITIES = ("zero", "projected")
READOUTS = ("displacement", "velocity", "projected")
COURANT_GUARDS = ("limit", "raise", "off")

# At the stability limit itself a scheme grows linearly; this much below it, rounding does not carry it across.
STABILITY_MARGIN = 0.95

# A nonlinear force is chaotic, and feeds energy in, well below the linear limit: a pendulum kicked once a step from
# (omega dt)² = 0.97 on (Chirikov 1979, Physics Reports 52, 263), a quarter of what velocity Verlet bears of a spring.
CHAOS_MARGIN = 4.0


class Trajectory(NamedTuple):
    """What `WaveOperator.simulate` records.

    Attributes:
        times: ``(T,)``, in steps.
        displacement: ``(T, B, C, *G)``.
        velocity: ``(T, B, C, *G)``, in displacement per step.
        energy: ``(T, B)``, weighted by 1/c².
        courant: largest Courant number of each sample, ``(B,)``, in cells per step.
        courant_limit: the largest stable Courant number of each channel, ``(C,)``.
        margin: what is left to the stability bound, ``1 - omega dt / limit`` at the cell and time where it is least,
            potentials included, ``(B,)``; negative beyond the bound, 1 where there is none.
    """

    times: Tensor
    displacement: Tensor
    velocity: Tensor
    energy: Tensor
    courant: Tensor
    courant_limit: Tensor
    margin: Tensor

    @property
    def wecs(self) -> Tensor:
        """The wave energy conservation score ``E(tau) / E(0)`` of each sample, ``(B,)`` (Vejendla 2025)."""
        return self.energy[-1] / self.energy[0]


class WaveOperator(nn.Module):
    """Solves ``u_tt = c(x)² ∇²u - γ(x) u_t`` from its input, for ``steps`` time steps (Vejendla 2025, equations 1-4).

    The input gives the initial displacement, the speed c, the damping γ and, if asked for, the initial velocity; the
    output has its shape and dtype. Any grid size works, odd, even or 1, and so does an empty batch. NaN in a sample
    passes through to its output and to no other sample's. The solver runs in float32 or better whatever autocast says;
    the convolutions that make fields and projections follow autocast like any others.

    Time is measured in steps inside: with the speed ``c dt``, in cells per step (the Courant number), and the damping
    ``γ dt``, the integrator takes steps of length 1, and the learned ``dt`` gets its gradient through them.

    Args:
        channels: number of channels C.
        laplacian: the Laplacian; its ``ndim`` is the operator's.
        integrator: the time integrator.
        speed: the field that gives c from the input, in cells / time.
        damping: the damping scheme.
        damping_field: the field that gives γ, in 1 / time; None if and only if ``damping`` does not use it.
        potential: a force on the field; None for no force.
        drift: how the medium moves; None for a medium at rest.
        steps: number of time steps.
        dt: initial time step.
        learn_dt: learn the time step, as its logarithm; otherwise it stays what it is.
        dt_per_channel: learn one ``dt`` for each channel instead of one for the layer.
        dt_spread: with ``dt_per_channel``, the initial time steps reach from ``dt / dt_spread`` to ``dt * dt_spread``,
            evenly in their logarithm: from waves that travel less than a cell to waves that cross the grid.
        initial_velocity: ``"zero"``, or ``"projected"``: a learned 1x1 convolution of the input.
        readout: ``"displacement"``, ``"velocity"``, or ``"projected"``: a learned 1x1 convolution of both.
        courant_guard: ``"limit"`` keeps the Courant number of every cell below the stability limit, smoothly and by
            itself, ``nu <- nu / sqrt(1 + (nu / nu_max)²)``, the stiffness of a potential with it, and ``γ dt`` below
            the limits of integrator and damping, where they have one; ``"raise"`` raises an error where one is
            exceeded, which reads a number back from the device and so breaks a compiled graph; ``"off"`` leaves all as
            they are, as published.
        gradient: how the backward pass gets at the trajectory. ``"store"`` keeps it; ``"recompute"`` keeps the
            operator's input alone and runs forward again; ``"reverse"`` runs the scheme backwards from the final state,
            for reversible schemes, and recomputes instead, with a warning, where damping would amplify rounding too
            far, and always under `torch.compile`. With `torch.func` only ``"store"`` works; the others raise.
        causal: refuse to be built unless every output position depends on positions up to its own only.

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
        potential: Potential | None = None,
        drift: Drift | None = None,
        *,
        steps: int = 4,
        dt: float = 0.5,
        learn_dt: bool = True,
        dt_per_channel: bool = False,
        dt_spread: float = 1.0,
        initial_velocity: str = "zero",
        readout: str = "displacement",
        courant_guard: str = "limit",
        gradient: str = "store",
        causal: bool = False,
    ) -> None:
        super().__init__()
        if not 1 <= dt_spread < math.inf or (dt_spread > 1 and not dt_per_channel):
            raise WavezooError(
                f"dt_spread is {dt_spread!r} with dt_per_channel={dt_per_channel}; give a finite number, at least 1, "
                "and dt_per_channel=True for more than 1."
            )
        check_options(
            steps,
            dt,
            {
                "initial_velocity": (initial_velocity, INITIAL_VELOCITIES),
                "readout": (readout, READOUTS),
                "courant_guard": (courant_guard, COURANT_GUARDS),
                "gradient": (gradient, GRADIENTS),
            },
        )
        self.causal = check_schemes(
            laplacian,
            integrator,
            speed,
            damping,
            damping_field,
            potential,
            drift,
            limits=courant_guard == "limit",
            reverses=gradient == "reverse",
            causal=causal,
        )
        self.channels = channels
        self.ndim = laplacian.ndim
        self.steps = self._steps_at_unit_spacing = steps
        self.grid_spacing = 1.0
        self.courant_guard = courant_guard
        self.gradient = gradient
        self.laplacian = laplacian
        self.integrator = integrator
        self.speed = speed
        self.damping = damping
        self.damping_field = damping_field
        self.potential = potential
        self.drift = drift
        # None for no limit: a compiler that makes numbers dynamic cannot compute with infinity.
        self._safe_omega_dt = _below(self._stability_limit())
        self._safe_gamma_dt = _below(min(integrator.gamma_dt_limit, damping.gamma_dt_limit))
        self.initial_dt = dt
        self.dt_spread = dt_spread
        self.register_parameter(
            "log_dt", nn.Parameter(torch.empty(channels if dt_per_channel else 1)) if learn_dt else None
        )
        self.velocity_projection = self._projection(channels) if initial_velocity == "projected" else None
        self.readout = readout
        self.readout_projection = self._projection(2 * channels) if readout == "projected" else None
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the operator's own parameters anew; its schemes have a method of the same name for theirs."""
        if self.log_dt is None:
            return
        middle, reach, count = math.log(self.initial_dt), math.log(self.dt_spread), len(self.log_dt)
        with torch.no_grad():
            self.log_dt.copy_(
                torch.linspace(middle - reach, middle + reach, count) if count > 1 else torch.tensor(middle)
            )

    @property
    def dt(self) -> Tensor:
        """The time step on a grid of unit spacing, shape ``(1,)`` or ``(C,)``."""
        return self._dt(next(self.parameters(), torch.empty(0)))

    def physical_parameters(self) -> Iterator[nn.Parameter]:
        """Return the parameters of the physics, as against those of projections: to be learned without weight decay."""
        if self.log_dt is not None:
            yield self.log_dt
        schemes = (self.laplacian, self.speed, self.damping_field, self.damping, self.potential, self.drift)
        for scheme in schemes:
            if isinstance(scheme, nn.Module):
                yield from scheme.parameters()

    def set_grid_spacing(self, spacing: float) -> None:
        """Say that the grid is finer, or coarser, than the one the parameters were learned on.

        The physics stays: waves travel as far, and are damped as much, in units of the image or the sequence. On a
        finer grid that takes proportionally more time steps, since the Courant number of each stays what it was, where
        the guard had put it. A coarser one keeps the steps and lowers the Courant number.

        Args:
            spacing: distance of two cells in units of that on the former grid: 0.5 on one twice as fine.

        Raises:
            WavezooError: if ``spacing`` is not positive, or if the Laplacian knows one grid only.
        """
        require_positive("grid spacing", spacing)
        if self.laplacian.fixed_grid is not None and spacing != 1:
            raise WavezooError(
                f"grid spacing is {spacing!r}, but {type(self.laplacian).__name__} knows one grid only; use 1."
            )
        self.grid_spacing = float(spacing)
        # The tolerance keeps rounding of the spacing from adding a step.
        self.steps = math.ceil(self._steps_at_unit_spacing * max(1.0, 1 / spacing) - 1e-6)

    def forward(self, x: Tensor) -> Tensor:
        """Map ``x`` of shape ``(B, C, *G)`` to the wave at ``steps * dt``, same shape and dtype.

        Raises:
            WavezooError: if ``x`` has another number of channels or grid axes, or no grid cell; with
                ``courant_guard="raise"``, if a stability limit is exceeded.
        """
        self._check_input(x)
        if x.shape[0] == 0:
            return x.clone()
        return differentiable(self, x, self.gradient)

    def fields(self, x: Tensor) -> tuple[Tensor, Tensor | None, Tensor | None]:
        """Return speed, damping (None if unused) and initial velocity (None for rest) that ``x`` gives.

        In cells / time and 1 / time on a grid of unit spacing, and in displacement per step.
        """
        # A 1x1 convolution by matrix product leaves channels last in memory, where every step's passes are slow.
        speed = self.speed(x).contiguous()
        gamma = None if self.damping_field is None else self.damping_field(x).contiguous()
        velocity = None
        if self.velocity_projection is not None:
            velocity = self.velocity_projection(x).contiguous() * self._step_ratio
        return speed, gamma, velocity

    def medium(self, u: Tensor, speed: Tensor, gamma: Tensor | None) -> WaveSystem:
        """Return the medium for fields like ``u``, with time in steps and the Courant guard applied.

        Args:
            u: displacement, ``(B, C, *G)``, in float32 or better.
            speed: c, broadcastable to ``u``, in cells / time.
            gamma: γ, likewise, in 1 / time; None where the damping does not use it.
        """
        dt = self._dt(u).view(1, -1, *[1] * self.ndim)
        courant = speed.to(u.dtype) * dt
        gamma_dt = u.new_zeros(()) if gamma is None else gamma.to(u.dtype) * dt
        potential_scale = dt.square()
        inverse_limit_squared = courant.new_zeros(())
        if self.courant_guard == "limit":
            courant, potential_scale, inverse_limit_squared = self._limits(courant, potential_scale, u)
            gamma_dt = self._limited_damping(gamma_dt)
        square = limited_square(courant, inverse_limit_squared)
        if self.grid_spacing != 1:
            finer, ratio = self._refinement(u), self._step_ratio
            square, potential_scale = square * finer * ratio**2, potential_scale * ratio**2
            gamma_dt = gamma_dt * ratio
        system = WaveSystem(
            self.laplacian.bind(u),
            square,
            self.damping,
            gamma_dt,
            modes=(lambda: self.laplacian.modes(u)) if self.laplacian.diagonal else None,
            potential=self.potential,
            potential_scale=potential_scale,
            damping_refinement=1.0 if self.grid_spacing == 1 else self._refinement(u),
        )
        if self.courant_guard == "raise":
            self._raise_beyond_limits(system, u)
        return system

    def initial_state(self, x: Tensor, velocity: Tensor | None) -> tuple[Tensor, Tensor | None]:
        """Return displacement and velocity at the start, in the dtype of the solver; None stands for rest."""
        dtype = torch.promote_types(x.dtype, torch.float32)
        return x.to(dtype), None if velocity is None else velocity.to(dtype)

    def integrated(
        self, u: Tensor, v: Tensor | None, speed: Tensor, gamma: Tensor | None
    ) -> tuple[Tensor, Tensor | None]:
        """Solve the wave equation for ``steps`` steps in a medium at rest: the operator without fields and drift.

        Args:
            u: displacement, ``(B, C, *G)``.
            v: velocity, likewise, in displacement per step; None for rest.
            speed: c, broadcastable to ``u``, in cells / time.
            gamma: γ, likewise, in 1 / time; None where the damping does not use it.

        Returns:
            Displacement and velocity; None in place of a velocity that the read-out does not need.
        """
        with without_autocast(u.device):
            system = self.medium(u, speed, gamma)
            return self.integrator.advance(system, u, v, 1.0, self.steps, self.readout != "displacement")

    def read(self, u: Tensor, v: Tensor | None) -> Tensor:
        """Return the read-out of a final state, carried along by the drift."""
        u = self._carried(u, self.steps)
        if v is None or self.readout == "displacement":
            return u
        v = self._carried(v, self.steps) / self._step_ratio
        if self.readout_projection is None:
            return v
        return self.readout_projection(torch.cat([u, v], 1).to(self.readout_projection.weight.dtype))

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
        steps = self.steps if steps is None else steps
        require_count("steps", steps)
        require_count("every", every)
        self._check_input(x)
        if x.shape[0] == 0:
            raise WavezooError(f"input of shape {tuple(x.shape)} has no sample to simulate; give at least 1.")
        speed, gamma, velocity = self.fields(x)
        records = []
        with without_autocast(x.device):
            u, v = self.initial_state(x, velocity)
            system = self.medium(u, speed, gamma)
            state = self.integrator.init(system, u, torch.zeros_like(u) if v is None else v)
            largest = self._omega_dt_squared(system, u)
            for step in range(steps + 1):
                if step:
                    state = self.integrator.step(system, state, 1.0)
                if step % every == 0:
                    moved = [self._carried(each, step) for each in (state.u, state.v)]
                    records.append((torch.tensor(step), *moved, system.energy(state.u, state.v)))
                    largest = torch.maximum(largest, self._omega_dt_squared(system, state.u))
        times, displacement, velocity, energy = (torch.stack(column) for column in zip(*records, strict=True))
        limit = self._stability_limit()
        return Trajectory(
            times,
            displacement,
            velocity,
            energy,
            courant=system.speed_squared.sqrt().expand_as(u).flatten(1).amax(1),
            courant_limit=self.courant_limit(x.shape[2:]),
            margin=1 - largest.flatten(1).amax(1).sqrt() / limit,
        )

    def courant_limit(self, grid: Grid) -> Tensor:
        """Return the largest Courant number ``c dt`` that is stable on ``grid`` without a potential, in cells per step.

        Shape ``(C,)``; infinite for integrators without a limit.
        """
        with torch.no_grad():
            return self._stability_limit() / self._spectral_radius(grid, self.dt).expand(self.channels).sqrt()

    def extra_repr(self) -> str:
        return (
            f"channels={self.channels}, integrator={type(self.integrator).__name__}, "
            f"damping={type(self.damping).__name__}, steps={self.steps}, courant_guard={self.courant_guard!r}, "
            f"readout={self.readout!r}, gradient={self.gradient!r}"
        )

    def _projection(self, in_channels: int) -> nn.Module:
        return conv(self.ndim)(in_channels, self.channels, 1)

    def _check_input(self, x: Tensor) -> None:
        grid = "(B, C, N)" if self.ndim == 1 else "(B, C, H, W)"
        if x.ndim != self.ndim + 2 or x.shape[1] != self.channels:
            raise WavezooError(
                f"input of shape {tuple(x.shape)} does not fit a wave operator on {grid} with C = {self.channels}."
            )
        if 0 in x.shape[2:]:
            raise WavezooError(f"input of shape {tuple(x.shape)} has no grid cell; give at least 1 along each axis.")

    def _carried(self, u: Tensor, steps: int) -> Tensor:
        if self.drift is None:
            return u
        with without_autocast(u.device):
            return self.drift.carry(u, self._dt(u) * (steps * self._step_ratio / self.grid_spacing))

    def _dt(self, like: Tensor) -> Tensor:
        """Return the time step on a grid of unit spacing, in the dtype of ``like``, shape ``(1,)`` or ``(C,)``."""
        if self.log_dt is None:
            return like.new_full((1,), self.initial_dt)
        return self.log_dt.to(like.dtype).exp()

    @property
    def _step_ratio(self) -> float:
        """The length of a step in units of that on a grid of unit spacing."""
        return self._steps_at_unit_spacing / self.steps

    def _refinement(self, u: Tensor) -> Tensor | float:
        """Return by what the grid's spacing divides the eigenvalues, a number or shape ``(C, 1, ...)``."""
        degree = self.laplacian.degree()
        if isinstance(degree, Tensor):
            degree = degree.to(u.dtype).view(-1, *[1] * self.ndim)
        return (1 / self.grid_spacing) ** degree

    def _stability_limit(self) -> float:
        return self.integrator.stability_limit * self.damping.stability_factor

    def _spectral_radius(self, grid: Grid, like: Tensor) -> Tensor:
        """Return the Laplacian's spectral radius, shape ``(1,)`` or ``(C,)``."""
        radius = self.laplacian.spectral_radius(grid)
        # A grid of one cell carries no wave; the smallest radius keeps its limit finite.
        if isinstance(radius, Tensor):
            return radius.to(like.dtype).clamp(min=1e-6).view(-1)
        return like.new_full((1,), max(radius, 1e-6))

    def _omega_dt_squared(self, system: WaveSystem, u: Tensor) -> Tensor:
        """Return a bound on the square of ``omega dt`` that each cell's values stand for, shape of ``u``."""
        radius = self._spectral_radius(u.shape[2:], u).view(-1, *[1] * self.ndim)
        return (system.speed_squared * radius + system.stiffness(u)).expand_as(u)

    def _limits(self, courant: Tensor, potential_scale: Tensor, u: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return Courant number and scale of the potential for a stable step, and ``1 / limit²`` still to be applied.

        With ``x = (nu² rho + stiffness) / w²`` for the stability limit w, square and scale are divided by ``1 + x``.
        """
        limit = self._safe_omega_dt
        if limit is None:
            return courant, potential_scale, courant.new_zeros(())
        radius = self._spectral_radius(u.shape[2:], u).view(-1, *[1] * self.ndim) / limit**2
        if self.potential is None:
            return courant, potential_scale, radius
        stiffness = self.potential.stiffness(u) * potential_scale / limit**2
        if not self.potential.quadratic:
            stiffness = CHAOS_MARGIN * stiffness
        courant = courant.clamp(max=LARGEST_COURANT_NUMBER)
        excess = 1 + stiffness + courant.square() * radius
        return courant / (1 + stiffness).sqrt(), potential_scale / excess, radius

    def _limited_damping(self, gamma_dt: Tensor) -> Tensor:
        if self._safe_gamma_dt is None:
            return gamma_dt
        return gamma_dt / (1 + gamma_dt / self._safe_gamma_dt)

    def _raise_beyond_limits(self, system: WaveSystem, u: Tensor) -> None:
        if u.device.type == "meta" or u.numel() == 0:
            return
        found = self._omega_dt_squared(system, u).detach().amax().sqrt().item()
        if found > self._stability_limit():
            courant = system.speed_squared.detach().amax().sqrt().item()
            raise WavezooError(
                f"omega dt reaches {found:.3g} at a Courant number of {courant:.3g}, beyond the stability limit "
                f"{self._stability_limit():.3g} of {type(self.integrator).__name__}. Lower dt or the speed, take "
                'another integrator, or use courant_guard="limit".'
            )
        gamma_limit = min(self.integrator.gamma_dt_limit, self.damping.gamma_dt_limit)
        if (gamma_dt := system.gamma.detach().amax().item()) > gamma_limit:
            raise WavezooError(
                f"gamma dt reaches {gamma_dt:.3g}, beyond the limit {gamma_limit:.3g} of "
                f"{type(self.integrator).__name__} with {type(self.damping).__name__}. Lower dt or the damping, or use "
                'courant_guard="limit".'
            )


def _below(limit: float) -> float | None:
    return None if limit == float("inf") else STABILITY_MARGIN * limit


def without_autocast(device: torch.device) -> AbstractContextManager[object]:
    """Return a context without autocast, or none where it is off or where ``device`` (the meta device) knows none."""
    # A context that changes nothing would still be a graph of its own in an exported program.
    if torch.amp.is_autocast_available(device.type) and torch.is_autocast_enabled(device.type):
        return torch.autocast(device.type, enabled=False)
    return nullcontext()
