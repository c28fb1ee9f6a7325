"""The medium of one forward pass, as integrators see it.

Shapes: B batch, C channels, ``*G`` grid, ``(N,)`` or ``(H, W)``, ``*K`` the modes of a Laplacian; channels first.
"""

from collections.abc import Callable, Hashable
from typing import Any, NamedTuple, TypeVar

import torch
from torch import Tensor

from wavezoo.errors import WavezooError
from wavezoo.wave.damping.base import Damping, Kick, KickForm, whole
from wavezoo.wave.potentials.base import Potential
from wavezoo.wave.spectral.gradient import Gradient
from wavezoo.wave.spectral.modes import Modes

Made = TypeVar("Made")


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


class KickCoefficients(NamedTuple):
    """A kick of a medium, ``v⁺ = decay v + factor push pull``; None for a decay or a push of 1."""

    decay: Tensor | None
    push: Tensor | None
    factor: float


def kicked(v: Tensor | None, pull: Tensor, decay: Tensor | None, push: Tensor | None, factor: float) -> Tensor:
    """Return ``decay v + factor push pull``; None for rest, and for a decay or a push of 1."""
    decayed = pull.new_zeros(()) if v is None else v if decay is None else v * decay
    return torch.add(decayed, pull, alpha=factor) if push is None else torch.addcmul(decayed, push, pull, value=factor)


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
        transposed: the adjoint of the Laplacian; None unless it is known and the Laplacian needs no gradient itself.
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
        transposed: Callable[[Tensor], Tensor] | None = None,
    ) -> None:
        self.laplacian = laplacian
        self.speed_squared = speed_squared
        self.damping = damping
        self.gamma = gamma
        self.potential = potential
        self.potential_scale = potential_scale
        self.transposed = transposed
        self._find_modes = modes
        self._modes: Modes | None = None
        self._damping_refinement = damping_refinement
        self._damping_rate: Tensor | None = None
        self._kicks: dict[tuple[KickForm, float], KickCoefficients] = {}
        self._remembered: dict[Hashable, Any] | None = None

    def remember(self) -> None:
        """Keep what `remembered` returns from now on: the medium is to be used again."""
        self._remembered = {}

    def remembered(self, key: Hashable, make: Callable[[], Made]) -> Made:
        """Return what ``make`` makes of the medium alone, once for each ``key`` if the medium is to be used again."""
        if self._remembered is None:
            return make()
        if key not in self._remembered:
            with torch.inference_mode(False), torch.no_grad():
                self._remembered[key] = make()
        made: Made = self._remembered[key]
        return made

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
    def gradient(self) -> Gradient:
        """The derivatives of modes, for schemes that declare that they require modes.

        Raises:
            WavezooError: if the Laplacian's basis has none.
        """
        if self.modes.gradient is None:
            raise WavezooError(
                "the Laplacian offers modes without a gradient, which a transported start needs; "
                'use another Laplacian, or initial_velocity="zero".'
            )
        return self.modes.gradient()

    @property
    def speed(self) -> Tensor:
        """The speed c, in cells / time, broadcastable to ``(B, C, *G)``; not quite zero, where it has no slope."""
        return self.speed_squared.clamp(min=torch.finfo(self.speed_squared.dtype).tiny).sqrt()

    @property
    def uniform(self) -> bool:
        """Whether speed and damping have one value each per sample and channel, and the modes are at hand."""
        uniform = all(size == 1 for field in (self.speed_squared, self.gamma) for size in field.shape[2:])
        return uniform and self._find_modes is not None

    @property
    def scales_in_kick(self) -> bool:
        """Whether the pull is the Laplacian alone and a kick multiplies by the speed, in the same pass over memory."""
        return self.potential is None and not self.damping.in_modes

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
        return self.laplacian(u) if self.scales_in_kick else self.acceleration(u)

    def kick(self, v: Tensor | None, pull: Tensor, dt: float, form: KickForm = whole) -> Tensor:
        """Return the velocity after a damped kick.

        Args:
            v: velocity before, ``(B, C, *G)``; None for rest.
            pull: what `pull` returned for the displacement, which may serve more than one kick.
            dt: length of the kick.
            form: `opening`, `closing`, `between` or, by default, `whole`, of `wavezoo.wave.damping`.
        """
        coefficients = self.coefficients(form, dt)
        if not self.damping.in_modes:
            return kicked(v, pull, *coefficients)
        modes = None if v is None else self.modes.transform(v)
        return self.modes.inverse(kicked(modes, self.modes.transform(pull), *coefficients))

    def coefficients(self, form: KickForm, dt: float) -> KickCoefficients:
        """Return what `kick` makes a velocity of, from what `pull` returns; broadcastable to it, or to its modes."""
        if (form, dt) not in self._kicks:
            self._kicks[form, dt] = self._coefficients(form(self.damping, self.damping_rate, dt))
        return self._kicks[form, dt]

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

    def _coefficients(self, kick: Kick) -> KickCoefficients:
        if isinstance(kick.push, float):
            return KickCoefficients(kick.decay, self.speed_squared if self.scales_in_kick else None, kick.push)
        push = kick.push * self.speed_squared if self.scales_in_kick else kick.push
        return KickCoefficients(kick.decay, push, 1.0)
