"""The medium of one forward pass, as integrators see it.

Shapes: B batch, C channels, ``*G`` grid, ``(N,)`` or ``(H, W)``, ``*K`` the modes of a Laplacian; channels first.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor

from wavezoo.wave.damping.base import Damping, Kick, KickForm, whole
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
    """The medium of one forward pass: ``u' = v``, ``v' = c² L u - rate v + force(u)``. All that an integrator sees.

    Args:
        laplacian: a bound Laplacian, ``(B, C, *G) -> (B, C, *G)``.
        speed_squared: c², in cells² / time², broadcastable to ``(B, C, *G)``.
        damping: the damping scheme.
        gamma: γ, in 1 / time, broadcastable to ``(B, C, *G)``; zero where the scheme does not use it.
        modes: returns the Laplacian's eigenvectors, if it has any.
        potential: whose force acts on the wave, if there is one.
        potential_scale: what the force is multiplied by, broadcastable to ``(B, C, *G)``.
        damping_refinement: what the eigenvalues are multiplied by before a damping that acts on modes sees them.
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
        damping_refinement: Tensor | float = 1.0,
    ) -> None:
        self.laplacian = laplacian
        self.speed_squared = speed_squared
        self.damping = damping
        self.gamma = gamma
        self.potential = potential
        self.potential_scale = potential_scale
        self._find_modes = modes
        self._modes: Modes | None = None
        self._damping_refinement = damping_refinement
        self._damping_rate: Tensor | None = None
        # The speed can wait for the kick, which then takes it in the same pass over memory.
        self._scales_in_kick = potential is None and not damping.in_modes
        self._kicks: dict[tuple[KickForm, float], tuple[Tensor | None, Tensor | None, float]] = {}

    @property
    def modes(self) -> Modes:
        """The Laplacian's eigenvectors, for schemes that declare that they require them.

        Raises:
            RuntimeError: if the Laplacian has none.
        """
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
    def damping_rate(self) -> Tensor:
        """The rate at which velocity is lost, in 1 / time.

        Broadcastable to ``(B, C, *G)``, or to the modes ``(B, C, *K)`` where the damping acts on those.
        """
        if self._damping_rate is None:
            eigenvalues = self.modes.eigenvalues * self._damping_refinement if self.damping.in_modes else None
            self._damping_rate = self.damping.rate(self.gamma, eigenvalues)
        return self._damping_rate

    def stiffness(self, u: Tensor) -> Tensor | float:
        """Return the largest rate of change of the force with displacement, up to the amplitude of ``u``."""
        return 0.0 if self.potential is None else self.potential_scale * self.potential.stiffness(u)

    def acceleration(self, u: Tensor) -> Tensor:
        """Return ``c² L u + force(u)``, shape ``(B, C, *G)``."""
        acceleration = self.speed_squared * self.laplacian(u)
        return acceleration if self.potential is None else acceleration + self.potential_scale * self.potential.force(u)

    def pull(self, u: Tensor) -> Tensor:
        """Return what `kick` makes an acceleration of: the medium at displacement ``u``, shape ``(B, C, *G)``."""
        return self.laplacian(u) if self._scales_in_kick else self.acceleration(u)

    def kick(self, v: Tensor | None, pull: Tensor, dt: float, form: KickForm = whole) -> Tensor:
        """Return the velocity after a damped kick.

        Args:
            v: velocity before, ``(B, C, *G)``; None for rest.
            pull: what `pull` returned for the displacement, which may serve more than one kick.
            dt: length of the kick.
            form: `opening`, `closing`, `between` or, by default, `whole`, of `wavezoo.wave.damping`.
        """
        if (form, dt) not in self._kicks:
            self._kicks[form, dt] = self._coefficients(form(self.damping, self.damping_rate, dt))
        decay, push, factor = self._kicks[form, dt]
        if self.damping.in_modes:
            pull, v = self.modes.transform(pull), None if v is None else self.modes.transform(v)
        decayed = pull.new_zeros(()) if v is None else v if decay is None else v * decay
        if push is None:
            kicked = torch.add(decayed, pull, alpha=factor)
        else:
            kicked = torch.addcmul(decayed, push, pull, value=factor)
        return self.modes.inverse(kicked) if self.damping.in_modes else kicked

    def damped_acceleration(self, u: Tensor, v: Tensor) -> Tensor:
        """Return ``c² L u + force(u) - rate v``, for integrators that do not split."""
        if not self.damping.in_modes:
            return self.acceleration(u) - self.damping_rate * v
        return self.acceleration(u) - self.modes.inverse(self.damping_rate * self.modes.transform(v))

    def energy(self, u: Tensor, v: Tensor) -> Tensor:
        """Return the energy ``½ Σ v²/c² - ½ Σ u L u + Σ potential/c²`` of each sample, shape ``(B,)``.

        Conserved without damping.
        """
        kinetic = v.square() / 2
        if self.potential is not None:
            kinetic = kinetic + self.potential_scale * self.potential.energy(u)
        # Cells whose speed underflows to zero carry no wave.
        weighted = torch.where(self.speed_squared > 0, kinetic / self.speed_squared, 0.0)
        return (weighted - u * self.laplacian(u) / 2).flatten(1).sum(1)

    def _coefficients(self, kick: Kick) -> tuple[Tensor | None, Tensor | None, float]:
        """Return decay and push of a kick for what `pull` returns, and the number by which the push is multiplied."""
        if isinstance(kick.push, float):
            return kick.decay, self.speed_squared if self._scales_in_kick else None, kick.push
        return kick.decay, kick.push * self.speed_squared if self._scales_in_kick else kick.push, 1.0
