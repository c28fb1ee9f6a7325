"""A wide depthwise convolution as a mixer."""

from typing import overload

from torch import Tensor

from wavezoo.errors import WavezooError
from wavezoo.mixers.recurrent import RecurrentMixer, State
from wavezoo.nn.carried import carried, no_past
from wavezoo.wave.convolution import GridConv


class DepthwiseMixer(RecurrentMixer):
    """A wide convolution of every channel by itself, as in ConvNeXt.

    Source: A ConvNet for the 2020s (Liu et al. 2022), which takes 7x7. Reach: half the kernel. Cost: proportional to
    the cells and to the kernel. Its state is the last inputs, one less than the kernel has cells.

    Args:
        causal: end the window at each position instead of centring it there; sequences only.
        kernel_size: width of the kernel in cells, odd.

    Raises:
        WavezooError: if ``kernel_size`` is not odd and positive.
    """

    causality = "optional"
    projects = False
    variants = ({"kernel_size": 3},)

    def __init__(self, channels: int, ndim: int, *, causal: bool = False, kernel_size: int = 7) -> None:
        super().__init__(channels, ndim, causal=causal)
        if kernel_size < 1 or kernel_size % 2 == 0:
            raise WavezooError(f"kernel_size is {kernel_size!r}; give an odd number of cells, such as 7.")
        self.conv = GridConv(channels, channels, ndim, kernel_size, groups=channels, causal=causal)

    def initial_state(self, batch: int) -> State:
        self._require_causal()
        return (no_past(self.conv, batch),)

    @overload
    def forward(self, x: Tensor) -> Tensor: ...

    @overload
    def forward(self, x: Tensor, state: State) -> tuple[Tensor, State]: ...

    def forward(self, x: Tensor, state: State | None = None) -> Tensor | tuple[Tensor, State]:
        if state is None:
            return self.conv(x)
        y, past = carried(self.conv, x, state[0])
        return y, (past,)
