import torch
from torch import nn

from tests.testing.broken import breaks
from wavezoo.wave.laplacians.finite_difference import FiniteDifferenceLaplacian


class Wrapped(FiniteDifferenceLaplacian):
    def change(self, u, result):
        return result

    def bind(self, u):
        apply = super().bind(u)
        return lambda u: self.change(u, apply(u))


@breaks("constants_map_to_zero", "spectral_radius_is_true_and_tight")
class ShiftedLaplacian(Wrapped):
    def change(self, u, result):
        return result - u


@breaks("self_adjoint_and_negative")
class OneSidedLaplacian(Wrapped):
    def change(self, u, result):
        return result + (u.roll(1, -1) - u)


@breaks("self_adjoint_and_negative")
class PositiveLaplacian(Wrapped):
    def change(self, u, result):
        return -result


@breaks("order")
class OverrankedLaplacian(Wrapped):
    def __init__(self, channels, ndim):
        super().__init__(channels, ndim)
        self.order = 4

    def bind(self, u):
        return FiniteDifferenceLaplacian(self.channels, self.ndim, order=2).bind(u)


@breaks("causal_where_declared")
class PeekingLaplacian(Wrapped):
    causal = True


@breaks("keeps_constants")
class LeakingLaplacian(Wrapped):
    def change(self, u, result):
        return result + 1e-6 * u


@breaks("stable_under_the_guard")
class FeedingLaplacian(Wrapped):
    """Not self-adjoint, which it hides."""

    def change(self, u, result):
        return result + 0.3 * (u.roll(1, -1) - u.roll(-1, -1))


@breaks("spectral_radius_is_true_and_tight")
class LooseRadiusLaplacian(Wrapped):
    def spectral_radius(self, grid):
        return 2 * super().spectral_radius(grid)


@breaks("modes_are_its_eigenvectors")
class ForeignModesLaplacian(Wrapped):
    def change(self, u, result):
        return 1.01 * result


@breaks("any_layout")
class InPlaceLaplacian(Wrapped):
    def change(self, u, result):
        u.mul_(2)
        return result


@breaks("gradcheck")
class DetachedLaplacian(Wrapped):
    def change(self, u, result):
        return result.detach() + 0 * u


@breaks("dtype_and_device")
class SinglePrecisionLaplacian(Wrapped):
    def change(self, u, result):
        return result.float()


@breaks("batch_independence")
class BatchMeanLaplacian(Wrapped):
    def change(self, u, result):
        return result - result.mean(0, keepdim=True)


@breaks("copies")
class LockedLaplacian(Wrapped):
    def __init__(self, channels, ndim):
        super().__init__(channels, ndim)
        self.noise = torch.rand(()).item()

    def __reduce__(self):
        return type(self), (self.channels, self.ndim)

    def change(self, u, result):
        return result + self.noise


@breaks("full_initialisation")
class IdleParameterLaplacian(Wrapped):
    def __init__(self, channels, ndim):
        super().__init__(channels, ndim)
        self.idle = nn.Parameter(torch.zeros(()))


@breaks("complex_free_where_declared")
class ComplexLaplacian(Wrapped):
    complex_free = True

    def change(self, u, result):
        return result.to(torch.complex128).real


@breaks("degree_is_true")
class ScaledLaplacian(Wrapped):
    def degree(self):
        return 1.0
