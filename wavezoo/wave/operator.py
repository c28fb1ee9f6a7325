"""The wave operator: a layer that lets its input travel as a wave.

Shapes: B batch, C channels, ``*G`` grid, ``(N,)`` or ``(H, W)``; channels first.
"""

import math
from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn

from wavezoo.errors import WavezooError, require_choice, require_positive, require_whole
from wavezoo.wave.compatibility import Schemes, check_input, check_reading, check_schemes, not_causal_because
from wavezoo.wave.damping import Damping, ExponentialDamping, NoDamping
from wavezoo.wave.drifts.base import Drift
from wavezoo.wave.fields import ParameterField, PointwiseField
from wavezoo.wave.gradients import GRADIENTS
from wavezoo.wave.held import HeldMedium
from wavezoo.wave.integrators.base import Integrator
from wavezoo.wave.laplacians.base import Laplacian
from wavezoo.wave.layout import laid_out_like
from wavezoo.wave.medium import Refinement, medium
from wavezoo.wave.potentials.base import Potential
from wavezoo.wave.precision import without_autocast
from wavezoo.wave.readouts import READOUTS, ReadOut, Wave
from wavezoo.wave.readouts.base import looks_at, steps_to
from wavezoo.wave.scheme import Grid
from wavezoo.wave.simulation import Trajectory, run
from wavezoo.wave.stability import GUARDS, spectral_radius
from wavezoo.wave.starts import STARTS, Start
from wavezoo.wave.system import WaveSystem

# The square of a longer time step would overflow float32.
LARGEST_LOG_DT = 40.0


class WaveOperator(nn.Module):
    """Solves ``u_tt = c(x)² ∇²u - γ(x) u_t`` from its input, for ``steps`` time steps (Vejendla 2025, equations 1-4).

    The input gives the initial displacement, the speed c, the damping γ and, if asked for, the initial velocity; the
    output has its shape and dtype. Any grid size works, odd, even or 1, and so does an empty batch. NaN in a sample
    passes through to its output and to no other sample's. The solver runs in float32 or better whatever autocast says;
    the convolutions that make fields and projections follow autocast like any others.

    Time is measured in steps inside: with the speed ``c dt``, in cells per step (the Courant number), and the damping
    ``γ dt``, the integrator takes steps of length 1, and a learned ``dt`` gets its gradient through them.

    Args:
        channels: number of channels C.
        laplacian: the Laplacian; its ``ndim`` is the operator's.
        integrator: the time integrator.
        speed: the field that gives c from the input, in cells / time; by default a 1x1 convolution that starts at 0.7.
        damping: the damping scheme; by default ``exponential`` where there is a damping field, and none where not.
        damping_field: the field that gives γ, in 1 / time; None if and only if ``damping`` does not use it.
        potential: a potential, whose force acts on the field; None for no force.
        drift: how the medium moves; None for a medium at rest.
        steps: number of time steps.
        reach: how many cells the waves of a fresh operator travel, at the speed of its fastest channel; it takes the
            place of ``steps``, which are as many as that takes. None for as far as ``steps`` take them.
        looks: how often the read-outs ``"trajectory"`` and ``"trajectory_projected"`` look. In closed form at times
            learned per channel and look, which are spread evenly in their logarithm from 0.3 cells of travel to
            ``reach``, 8 by default; step by step at steps that are evenly spaced, at each by default.
        dt: initial time step.
        learn_dt: learn the time step, as its logarithm; otherwise it stays what it is.
        initial_velocity: ``"zero"``; ``"projected"``, a learned 1x1 convolution of the input; or ``"transported"``,
            ``-c r·∇u0`` with a learned direction r per channel, and look in closed form: waves on their way.
        readout: ``"displacement"``, ``"velocity"``, or ``"projected"``: a learned 1x1 convolution of both; at the end.
            ``"trajectory"``: a learned sum of both at many looks, weights per channel; ``"trajectory_projected"``: a
            learned linear map of both in all channels at many looks.
        courant_guard: ``"limit"`` keeps the Courant number of every cell below the stability limit, and with it the
            stiffness of a potential, and the damping below the limits of integrator and damping, where they have one;
            smoothly, bending only near the limit, `wavezoo.wave.stability`. ``"raise"`` raises an error where one is
            exceeded, which reads a number back from the device and so breaks a compiled graph; ``"off"`` leaves all as
            they are, as published.
        gradient: how the backward pass gets at the trajectory. ``"store"`` keeps it; ``"recompute"`` keeps the
            operator's input alone and runs forward again; ``"reverse"`` keeps the input and the last state and runs a
            reversible scheme backwards. Where damping would amplify rounding too far it recomputes instead, with a
            warning; to know, the backward pass reads one number back from the device, the forward pass none. Under
            `torch.compile`, for trajectories and for transported starts it always recomputes, and has second
            derivatives. With the transforms of `torch.func` only ``"store"`` works; the others raise.
        causal: refuse to be built unless every output position depends on positions up to its own only.

    Raises:
        WavezooError: if an option is out of range, or if the schemes do not fit each other.

    Attributes:
        causal: whether every output position depends on positions up to its own only.
    """

    log_dt: nn.Parameter | None

    def __init__(
        self,
        channels: int,
        laplacian: Laplacian,
        integrator: Integrator,
        speed: ParameterField | None = None,
        damping: Damping | None = None,
        damping_field: ParameterField | None = None,
        potential: Potential | None = None,
        drift: Drift | None = None,
        *,
        steps: int = 4,
        reach: float | None = None,
        looks: int | None = None,
        dt: float = 0.5,
        learn_dt: bool = True,
        initial_velocity: str = "zero",
        readout: str = "displacement",
        courant_guard: str = "limit",
        gradient: str = "store",
        causal: bool = False,
    ) -> None:
        super().__init__()
        channels = require_whole("channels", channels)
        require_choice("initial_velocity", initial_velocity, tuple(STARTS))
        require_choice("readout", readout, tuple(READOUTS))
        require_choice("courant_guard", courant_guard, tuple(GUARDS))
        require_choice("gradient", gradient, tuple(GRADIENTS))
        require_positive("dt", dt)
        ndim = laplacian.ndim
        speed = PointwiseField(channels, ndim, initial=0.7) if speed is None else speed
        if damping is None:
            damping = NoDamping(channels, ndim) if damping_field is None else ExponentialDamping(channels, ndim)
        schemes = Schemes(laplacian, integrator, speed, damping, damping_field, potential, drift)
        check_schemes(schemes, channels, limits=courant_guard == "limit", reverses=gradient == "reverse")
        check_reading(schemes, STARTS[initial_velocity], READOUTS[readout])
        reason = not_causal_because(schemes)
        if causal and reason is not None:
            raise reason
        self.causal = reason is None
        self.channels = channels
        self.ndim = ndim
        travel = speed.largest_initial * dt
        self.steps = self._steps_at_unit_spacing = steps_to(reach, require_whole("steps", steps), travel)
        self.grid_spacing = 1.0
        self.laplacian = laplacian
        self.integrator = integrator
        self.speed = speed
        self.damping = damping
        self.damping_field = damping_field
        self.potential = potential
        self.drift = drift
        self.initial_dt = float(dt)
        self.register_parameter("log_dt", nn.Parameter(torch.empty(1)) if learn_dt else None)
        kind = READOUTS[readout]
        times = looks_at(looks, self.steps if reach is None else reach / travel, travel, kind, integrator)
        self.readout: ReadOut = kind(channels, ndim, times)
        own_starts = times.number if kind.many and times.learned else 1
        self.start: Start = STARTS[initial_velocity](channels, ndim, own_starts)
        self.courant_guard = courant_guard
        self.gradient = gradient
        self._guard = GUARDS[courant_guard](integrator, damping)
        self._differentiated = GRADIENTS[gradient]
        self._held = HeldMedium()
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the operator's own parameters anew; its schemes have a method of the same name for theirs."""
        if self.log_dt is not None:
            nn.init.constant_(self.log_dt, math.log(self.initial_dt))

    @property
    def dt(self) -> Tensor:
        """The time step on a grid of unit spacing, shape ``(1,)``."""
        return self._dt(next(self.parameters(), torch.empty(0)))

    def physical_parameters(self) -> Iterator[nn.Parameter]:
        """Return the parameters of the physics, as against those of projections: to be learned without weight decay."""
        if self.log_dt is not None:
            yield self.log_dt
        yield from self.start.physical_parameters()
        yield from self.readout.physical_parameters()
        for scheme in (self.laplacian, self.speed, self.damping_field, self.damping, self.potential, self.drift):
            if scheme is not None:
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
        for field in (self.speed, self.damping_field):
            if field is not None:
                field.set_grid_spacing(self.grid_spacing)
        # The tolerance keeps rounding of the spacing from adding a step.
        self.steps = math.ceil(self._steps_at_unit_spacing * max(1.0, 1 / spacing) - 1e-6)

    def forward(self, x: Tensor) -> Tensor:
        """Map ``x`` of shape ``(B, C, *G)`` to the wave at ``steps * dt``, same shape and dtype.

        Raises:
            WavezooError: if ``x`` has another number of channels or grid axes, or no grid cell; with
                ``courant_guard="raise"``, if a stability limit is exceeded.
        """
        check_input(x, self.channels, self.ndim)
        if x.shape[0] == 0:
            return x.clone()
        return self._differentiated(self, x) if torch.is_grad_enabled() else self.solved(x)

    def train(self, mode: bool = True) -> "WaveOperator":
        self._held.drop()
        return super().train(mode)

    def solved(self, x: Tensor) -> Tensor:
        """Return the output for ``x``, ``(B, C, *G)``, all that leads to it in one graph."""
        u, v = self.initial_state(x, self.given_velocity(x))
        system = self._held.get(self, x, u)
        with without_autocast(u.device):
            found = self.readout.solved(self.wave(system, u, v))
        return self.read(*found).to(x.dtype)

    def fields(self, x: Tensor) -> tuple[Tensor, Tensor | None, Tensor | None]:
        """Return speed, damping (None if unused) and initial velocity (None for rest) that ``x`` gives.

        In cells / time and 1 / time on a grid of unit spacing, and in displacement per step; broadcastable to ``x``.
        """
        return *self.coefficients(x), self.given_velocity(x)

    def coefficients(self, x: Tensor) -> tuple[Tensor, Tensor | None]:
        """Return the first two of `fields`."""
        speed = laid_out_like(self.speed(x), x)
        return speed, None if self.damping_field is None else laid_out_like(self.damping_field(x), x)

    def given_velocity(self, x: Tensor) -> Tensor | None:
        """Return the last of `fields`."""
        given = self.start.given(x)
        return None if given is None else laid_out_like(given, x) * self.refinement.step

    def medium(self, u: Tensor, speed: Tensor, gamma: Tensor | None) -> WaveSystem:
        """Return the medium for fields like ``u``, with time in steps and the Courant guard applied.

        Args:
            u: displacement, ``(B, C, *G)``, in float32 or better.
            speed: c, broadcastable to ``u``, in cells / time.
            gamma: γ, likewise, in 1 / time; None where the damping does not use it.

        Raises:
            WavezooError: with ``courant_guard="raise"``, if a stability limit is exceeded.
        """
        schemes = (self.laplacian, self.damping, self.potential)
        return medium(u, speed, gamma, self._dt(u), schemes, self._guard, self.refinement)

    def initial_state(self, x: Tensor, velocity: Tensor | None) -> tuple[Tensor, Tensor | None]:
        """Return displacement and velocity at the start, ``(B, C, *G)``, in the dtype of the solver; None for rest."""
        dtype = torch.promote_types(x.dtype, torch.float32)
        return x.to(dtype), None if velocity is None else velocity.to(dtype)

    def integrated(self, u: Tensor, v: Tensor | None, speed: Tensor, gamma: Tensor | None) -> tuple[Tensor, ...]:
        """Return what the read-out reads of a wave in a medium at rest: the operator without fields and drift.

        Args:
            u: displacement, ``(B, C, *G)``.
            v: the velocity that the input gives, likewise, in displacement per step; None for none.
            speed: as for `medium`, which raises what this does.
            gamma: likewise.
        """
        with without_autocast(u.device):
            system = self.medium(u, speed, gamma)
            return self.readout.solved(self.wave(system, u, v))

    def wave(self, system: WaveSystem, u: Tensor, v: Tensor | None) -> Wave:
        """Return the wave that starts at displacement ``u`` and the velocity ``v`` that the input gives."""
        return Wave(system, self.integrator, self.start, u, v, self.steps, self.refinement.step)

    def read(self, *found: Tensor) -> Tensor:
        """Return the output of what was read of a wave, carried along by the drift; all of shape ``(B, C, *G)``."""
        return self.readout.output(*(self._carried(each, self.steps) for each in found))

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
        check_input(x, self.channels, self.ndim)
        steps, every = require_whole("steps", self.steps if steps is None else steps), require_whole("every", every)
        if not len(x):
            raise WavezooError(f"input of shape {tuple(x.shape)} has no sample to simulate; give at least 1.")
        speed, gamma, velocity = self.fields(x)
        with without_autocast(x.device):
            u, v = self.initial_state(x, velocity)
            system = self.medium(u, speed, gamma)
            v = self.start.velocity(system, u, v)
            found = run(system, self.integrator, self.laplacian, u, v, steps, every)
            displacement, velocity = (
                torch.stack([self._carried(each, int(time)) for each, time in zip(column, found.times, strict=True)])
                for column in (found.displacement, found.velocity)
            )
        return Trajectory(
            found.times,
            displacement,
            velocity,
            found.energy,
            courant=system.speed_squared.sqrt().expand_as(u).flatten(1).amax(1),
            courant_limit=self.courant_limit(x.shape[2:]),
            margin=1 - found.largest / self._guard.omega_dt,
        )

    def courant_limit(self, grid: Grid) -> Tensor:
        """Return the largest stable Courant numbers on ``grid`` without a potential, in cells per step, ``(C,)``."""
        with torch.no_grad():
            radius = spectral_radius(self.laplacian, self.dt.new_empty(1, 1, *grid))
            return self._guard.omega_dt / radius.view(-1).expand(self.channels).sqrt()

    def extra_repr(self) -> str:
        schemes = f"channels={self.channels}, integrator={type(self.integrator).__name__}, steps={self.steps}, "
        return schemes + f"courant_guard={self.courant_guard!r}, gradient={self.gradient!r}"

    def _carried(self, u: Tensor, steps: int) -> Tensor:
        if self.drift is None:
            return u
        with without_autocast(u.device):
            return self.drift.carry(u, self._dt(u) * (steps * self.refinement.step / self.grid_spacing))

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> "WaveOperator":
        # A conversion there and back writes through `.data`, and may end where it began in memory.
        self._held.drop()
        return super()._apply(fn, recurse)

    def _dt(self, like: Tensor) -> Tensor:
        """Return the time step on a grid of unit spacing, in the dtype of ``like``, shape ``(1,)``."""
        if self.log_dt is None:
            return like.new_full((1,), self.initial_dt)
        return self.log_dt.to(like.dtype).clamp(max=LARGEST_LOG_DT).exp()

    @property
    def refinement(self) -> Refinement:
        """How the grid differs from the one that the parameters were learned on."""
        return Refinement(self.grid_spacing, self._steps_at_unit_spacing / self.steps)
