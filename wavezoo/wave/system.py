"""The medium of one forward pass, as integrators see it.

Shapes: B batch, C channels, ``*G`` grid, ``(N,)`` or ``(H, W)``, ``*K`` the modes of a Laplacian; channels first.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor

from wavezoo.wave.damping.base import Damping, Kick
from wavezoo.wave.potentials.base import Potential
from wavezoo.wave.spectral.modes import Modes


class WaveState(NamedTuple):
    """What an integrator carries from step to step.

    Attributes:
        u: displacement, ``(B, C, *G)``.
        v: velocity, ``(B, C, *G)``.
        carried: what the integrator knows already for its next step, such as the acceleration at ``u``; otherwise None.
    """

    u: Tensor
    v: Tensor
    carried: Any = None


class WaveSystem:
    """The medium of one forward pass: ``u' = v``, ``v' = c² L u - gamma v + force(u)``. All that an integrator sees.

    Args:
        laplacian: a bound Laplacian, ``(B, C, *G) -> (B, C, *G)``.
        speed_squared: c², in cells² / time², broadcastable to ``(B, C, *G)``.
        damping: the damping scheme.
        gamma: the damping, in 1 / time, broadcastable to ``(B, C, *G)``; zero where the scheme does not use it.
        modes: returns the Laplacian's eigenvectors, if it has any.
        potential: the force, if there is one.
        potential_scale: what the force is multiplied by, broadcastable to ``(B, C, *G)``.
    """

    def __init__(
        self,
        laplacian: Callable[[Tensor], Tensor],
        speed_squared: Tensor,
        damping: Damping,
        gamma: Tensor,
        modes: Callable[[], Modes] | None = None,
        potential: Potential | None = None,
        potential_scale: Tensor | float = 1.0,
    ) -> None:
        self.laplacian = laplacian
        self.speed_squared = speed_squared
        self.damping = damping
        self.gamma = gamma
        self.potential = potential
        self.potential_scale = potential_scale
        self._find_modes = modes
        self._modes: Modes | None = None
        self._kicks: dict[tuple[str, float], Kick] = {}
        self._weights: dict[tuple[str, float], Tensor] = {}

    @property
    def modes(self) -> Modes:
        """The Laplacian's eigenvectors, for schemes that declare that they require them."""
        if self._find_modes is None:
            raise RuntimeError("this system was built without modes; declare requires = Requires(modes=True)")
        if self._modes is None:
            self._modes = self._find_modes()
        return self._modes

    @property
    def uniform(self) -> bool:
        """Whether speed and damping have one value each per sample and channel, and the modes are at hand."""
        uniform = all(size == 1 for field in (self.speed_squared, self.gamma) for size in field.shape[2:])
        return uniform and self._find_modes is not None

    @property
    def modal_gamma(self) -> Tensor:
        """The damping of every mode, broadcastable to ``(B, C, *K)``, where it is the same everywhere."""
        return self.gamma * -self.modes.eigenvalues if self.damping.in_modes else self.gamma

    def stiffness(self, u: Tensor) -> Tensor | float:
        """Return the largest rate of change of the force with displacement, up to the amplitude of ``u``."""
        return 0.0 if self.potential is None else self.potential_scale * self.potential.stiffness(u)

    def acceleration(self, u: Tensor) -> Tensor:
        """Return ``c² L u + force(u)``, shape ``(B, C, *G)``."""
        pull = self.speed_squared * self.laplacian(u)
        return pull if self.potential is None else pull + self.potential_scale * self.potential.force(u)

    def opening_kick(self, v: Tensor, a: Tensor, dt: float) -> Tensor:
        """Return the velocity after a damped kick of length ``dt`` in the first half of a step."""
        return self._kicked(v, a, self.opening(dt))

    def closing_kick(self, v: Tensor, a: Tensor, dt: float) -> Tensor:
        """Return the velocity after a damped kick of length ``dt`` in the second half of a step."""
        return self._kicked(v, a, self.closing(dt))

    def kick(self, v: Tensor, a: Tensor, dt: float) -> Tensor:
        """Return the velocity after a damped kick of length ``dt`` that stands alone: its two halves in turn."""
        return self._kicked(v, a, self.whole(dt))

    def opening(self, dt: float) -> Kick:
        """Return the kick that opens a step; its coefficients belong to modes where the damping acts on those."""
        return self._kick("opening", dt)

    def closing(self, dt: float) -> Kick:
        """Return the kick that closes a step."""
        return self._kick("closing", dt)

    def between(self, dt: float) -> Kick:
        """Return the kick that closes a step and opens the next."""
        return self._kick("between", dt)

    def whole(self, dt: float) -> Kick:
        """Return an opening and a closing kick of half the length, as one."""
        return self._kick("whole", dt)

    def accelerated(self, v: Tensor | None, u: Tensor, kind: str, dt: float) -> Tensor:
        """Return ``v``, or rest, after the kick ``kind`` by the acceleration at ``u``, in as few passes as can be.

        Args:
            v: velocity before the kick; None for rest.
            u: displacement.
            kind: ``"opening"``, ``"closing"``, ``"between"`` or ``"whole"``.
            dt: length of the kick.
        """
        kick = self._kick(kind, dt)
        if self.potential is not None or self.damping.in_modes:
            return self._kicked(torch.zeros_like(u) if v is None else v, self.acceleration(u), kick)
        curvature = self.laplacian(u)
        decayed = u.new_zeros(()) if v is None else v if kick.decay is None else v * kick.decay
        if isinstance(kick.push, float):
            return torch.addcmul(decayed, self.speed_squared, curvature, value=kick.push)
        if (kind, dt) not in self._weights:
            self._weights[kind, dt] = kick.push * self.speed_squared
        return torch.addcmul(decayed, self._weights[kind, dt], curvature)

    def damped_acceleration(self, u: Tensor, v: Tensor) -> Tensor:
        """Return ``c² L u + force(u) - gamma v``, for integrators that do not split."""
        if not self.damping.in_modes:
            return self.acceleration(u) - self.damping.rate(self.gamma) * v
        modes = self.modes
        return self.acceleration(u) - modes.inverse(self.damping.rate(self.modal_gamma) * modes.transform(v))

    def energy(self, u: Tensor, v: Tensor) -> Tensor:
        """Return the energy ``½ Σ v²/c² - ½ Σ u L u + Σ potential/c²`` of each sample, shape ``(B,)``.

        Conserved without damping.
        """
        kinetic = v.square() / 2
        if self.potential is not None:
            kinetic = kinetic + self.potential_scale * self.potential.energy(u)
        # Where the speed underflows to zero nothing moves, and 0 / 0 stands for no energy.
        weighted = torch.where(kinetic == 0, 0.0, kinetic / self.speed_squared)
        return (weighted - u * self.laplacian(u) / 2).flatten(1).sum(1)

    def _kick(self, kind: str, dt: float) -> Kick:
        """Return a kick; computed once."""
        if (kind, dt) not in self._kicks:
            gamma = self.modal_gamma if self.damping.in_modes else self.gamma
            if kind == "opening":
                kick = self.damping.opening(gamma, dt)
            elif kind == "closing":
                kick = self.damping.closing(gamma, dt)
            elif kind == "between":
                kick = self.closing(dt).then(self.opening(dt))
            else:
                kick = self.opening(dt / 2).then(self.closing(dt / 2))
            self._kicks[kind, dt] = kick
        return self._kicks[kind, dt]

    def _kicked(self, v: Tensor, a: Tensor, kick: Kick) -> Tensor:
        if self.damping.in_modes:
            v, a = self.modes.transform(v), self.modes.transform(a)
        decayed = v if kick.decay is None else v * kick.decay
        if isinstance(kick.push, float):
            kicked = torch.add(decayed, a, alpha=kick.push)
        else:
            kicked = torch.addcmul(decayed, kick.push.to(a.dtype), a)
        return self.modes.inverse(kicked) if self.damping.in_modes else kicked
