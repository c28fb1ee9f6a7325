"""The wave operator as a mixer."""

from torch import Tensor

from wavezoo.mixers.base import Mixer
from wavezoo.wave.operator import WaveOperator


class WaveMixer(Mixer):
    """The wave operator: every position is where waves start, and where they arrive from the others.

    Equation: ``u_tt = c(x)² ∇²u - γ(x) u_t`` (Wave-PDE Nets, Vejendla 2025, equations 1 to 4). Reach: ``c steps dt``
    cells. Cost: ``N log N`` in the number of cells, or matrix products on small grids. Causal only if the operator's
    schemes are; no built-in Laplacian is.

    Args:
        causal: let no position depend on later ones; sequences only.
        operator: the wave operator; built from the options of the model.

    Raises:
        WavezooError: if it is asked to be causal on two grid axes.
    """

    causality = "operator"
    projects = False

    def __init__(self, channels: int, ndim: int, *, causal: bool = False, operator: WaveOperator) -> None:
        super().__init__(channels, ndim, causal=causal)
        self.operator = operator
        self.causal = operator.causal

    def forward(self, x: Tensor) -> Tensor:
        return self.operator(x)
