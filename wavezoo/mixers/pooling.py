"""Average pooling as a mixer."""

from torch import Tensor
from torch.nn import functional as F

from wavezoo.errors import WavezooError
from wavezoo.mixers.base import Mixer


class PoolingMixer(Mixer):
    """The mean of a neighbourhood, less the position itself: a mixer without parameters, as in PoolFormer.

    Source: MetaFormer Is Actually What You Need for Vision (Yu et al. 2022, equation 4). Beyond the edges nothing is
    averaged. Reach: half the window.

    Args:
        causal: not possible; the window is centred.
        size: width of the window in cells, odd and at least 3.

    Raises:
        WavezooError: if ``size`` is not odd or less than 3, or ``causal`` is asked for.
    """

    causality = "never"
    projects = False
    variants = ({"size": 5},)

    def __init__(self, channels: int, ndim: int, *, causal: bool = False, size: int = 3) -> None:
        super().__init__(channels, ndim, causal=causal)
        if size < 3 or size % 2 == 0:
            raise WavezooError(f"size is {size!r}; give an odd number of cells, at least 3.")
        self.size = size

    def forward(self, x: Tensor) -> Tensor:
        pool = F.avg_pool1d if self.ndim == 1 else F.avg_pool2d
        size, padding = (self.size,) * self.ndim, (self.size // 2,) * self.ndim
        return pool(x, size, stride=1, padding=padding, count_include_pad=False) - x

    def extra_repr(self) -> str:
        return f"size={self.size}"
