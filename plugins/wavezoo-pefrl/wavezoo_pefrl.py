"""PEFRL, a fourth-order integrator for wavezoo."""

import torch

import wavezoo

# Omelyan, Mryglod and Folk (2002), Computer Physics Communications 146, 188, equation 20.
XI = 0.1786178958448091
LAMBDA = -0.2123418310626054
CHI = -0.06626458266981849


class PEFRL(wavezoo.Integrator):
    """Position-extended Forest-Ruth-like scheme: fourth order with a small error constant, four accelerations a step.

    Equation (Omelyan, Mryglod and Folk 2002, equation 22): drifts by ``xi, chi, 1 - 2(chi + xi), chi, xi`` times dt,
    and between them kicks by ``1/2 - lambda, lambda, lambda, 1/2 - lambda`` times dt.

    Order: 4, also with damping that is itself time-symmetric, such as exponential. Stability limit: omega dt <= 2.98,
    and near it gamma dt <= 0.25. Symplectic, reversible.
    """

    order = 4
    damped_order = 4
    symplectic = True
    reversible = True
    stability_limit = 2.98
    gamma_dt_limit = 0.25
    accelerations_to_start = 0
    accelerations_per_step = 4

    def init(self, system: wavezoo.WaveSystem, u: torch.Tensor, v: torch.Tensor) -> wavezoo.WaveState:
        return wavezoo.WaveState(u, v)

    def step(self, system: wavezoo.WaveSystem, state: wavezoo.WaveState, dt: float) -> wavezoo.WaveState:
        u, v, _ = state
        u = torch.add(u, v, alpha=XI * dt)
        v = system.kick(v, system.pull(u), (1 / 2 - LAMBDA) * dt)
        u = torch.add(u, v, alpha=CHI * dt)
        v = system.kick(v, system.pull(u), LAMBDA * dt)
        u = torch.add(u, v, alpha=(1 - 2 * (CHI + XI)) * dt)
        v = system.kick(v, system.pull(u), LAMBDA * dt)
        u = torch.add(u, v, alpha=CHI * dt)
        v = system.kick(v, system.pull(u), (1 / 2 - LAMBDA) * dt)
        return wavezoo.WaveState(torch.add(u, v, alpha=XI * dt), v)


@wavezoo.hookimpl
def wavezoo_integrators() -> dict[str, type[wavezoo.Integrator]]:
    """Offer the integrator by the name that recipes and keyword arguments use."""
    return {"pefrl": PEFRL}
