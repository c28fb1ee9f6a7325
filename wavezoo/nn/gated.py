"""A mixer with a sense of direction and a gate."""

from typing import overload

from torch import Tensor, nn

from wavezoo.errors import WavezooError, require_whole
from wavezoo.nn.carried import State, carried, initial_state, no_past
from wavezoo.wave.convolution import GridConv, conv, convolved


class GatedMixer(nn.Module):
    """A mixer with a sense of direction and a gate, ``(B, C, *G) -> (B, C, *G)``.

    A wave operator is isotropic, ``c² ∇²`` cannot tell left from right, and attention without positions knows of none.
    A depthwise convolution before them does. A mixer that leaves channels apart gets a gate, by which every position
    chooses how much it takes of what arrives, and a projection: ``proj(mixer(local(x)) * silu(gate(local(x))))``.

    Args:
        mixer: the mixer.
        channels: number of channels C.
        ndim: number of grid axes.
        gated: whether it gets a gate and a projection; without them the output is ``mixer(local(x))``.
        causal: let no position depend on later ones.
        kernel_size: width of the depthwise convolution, in cells, odd unless ``causal``; 0 for none.

    Raises:
        WavezooError: if ``kernel_size`` is no such width.
    """

    def __init__(
        self, mixer: nn.Module, channels: int, ndim: int, *, gated: bool, causal: bool = False, kernel_size: int = 3
    ) -> None:
        super().__init__()
        width = require_whole("width of the convolution in front of a mixer, local_taps,", kernel_size, 0)
        if width and width % 2 == 0 and not causal:
            raise WavezooError(
                f"local_taps is {width}, and a convolution of so many cells has no middle; give an odd number, 0 for "
                "none, or causal=True."
            )
        self.local = GridConv(channels, channels, ndim, width, groups=channels, causal=causal) if width else None
        self.mixer = mixer
        self.gate = conv(ndim)(channels, channels, 1) if gated else None
        self.proj = conv(ndim)(channels, channels, 1) if gated else None

    def initial_state(self, batch: int) -> State:
        """Return the state before the first position of a sequence: the convolution's last inputs, then the mixer's.

        Raises:
            WavezooError: if the mixer has no state to go on from.
        """
        past = () if self.local is None else (no_past(self.local, batch),)
        return *past, *initial_state(self.mixer, batch)

    @overload
    def forward(self, x: Tensor) -> Tensor: ...

    @overload
    def forward(self, x: Tensor, state: State) -> tuple[Tensor, State]: ...

    def forward(self, x: Tensor, state: State | None = None) -> Tensor | tuple[Tensor, State]:
        """Map ``x`` of shape ``(B, C, *G)`` to the same shape, and given a state, also return the state after ``x``."""
        if state is not None:
            return self._carried(x, state)
        if self.local is not None:
            x = self.local(x)
        return self._gated(x, self.mixer(x))

    def _carried(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        past: State = ()
        if self.local is not None:
            x, last = carried(self.local, x, state[0])
            past, state = (last,), state[1:]
        mixed, state = self.mixer(x, state)
        return self._gated(x, mixed), (*past, *state)

    def _gated(self, x: Tensor, mixed: Tensor) -> Tensor:
        return mixed if self.gate is None or self.proj is None else convolved(self.proj, "gated", mixed, self.gate(x))
