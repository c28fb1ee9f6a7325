import torch
from torch import nn

from tests.testing.broken import breaks
from wavezoo.wave.potentials.klein_gordon import KleinGordonPotential


class WrappedPotential(KleinGordonPotential):
    def change(self, u, force):
        return force

    def force(self, u):
        return self.change(u, super().force(u))


@breaks("force_is_minus_the_gradient_of_the_potential", "energy_is_conserved")
class PushingPotential(WrappedPotential):
    def change(self, u, force):
        return 1.5 * force


@breaks("exerts_a_force")
class IdlePotential(WrappedPotential):
    def change(self, u, force):
        return 0 * force


@breaks("quadratic_where_declared")
class BentPotential(WrappedPotential):
    def change(self, u, force):
        return force + 0.1 * u**2


@breaks("stiffness_is_true_and_tight")
class TimidPotential(WrappedPotential):
    def stiffness(self, u):
        return 2 * super().stiffness(u)

    def force(self, u):
        return -super().stiffness(u) * u


@breaks("bounded_where_declared")
class BoundlessPotential(WrappedPotential):
    bounded_stiffness = False


@breaks("gradient_to_every_parameter", "full_initialisation")
class IdleParameterPotential(WrappedPotential):
    def __init__(self, channels, ndim):
        super().__init__(channels, ndim)
        self.idle = nn.Parameter(torch.zeros(()))


@breaks("gradcheck")
class DetachedPotential(WrappedPotential):
    def change(self, u, force):
        return force.detach() + 0 * u


@breaks("dtype_and_device")
class SinglePrecisionPotential(WrappedPotential):
    def stiffness(self, u):
        return super().stiffness(u).float()

    def force(self, u):
        return super().force(u).float()

    def energy(self, u):
        return super().energy(u).float()


@breaks("causal_where_declared")
class PeekingPotential(WrappedPotential):
    causal = True

    def change(self, u, force):
        return force - u.mean(-1, keepdim=True)


@breaks("batch_independence")
class BatchMeanPotential(WrappedPotential):
    def change(self, u, force):
        return force - u.mean(0, keepdim=True)


@breaks("copies")
class RandomPotential(WrappedPotential):
    def change(self, u, force):
        return force + torch.rand(())
