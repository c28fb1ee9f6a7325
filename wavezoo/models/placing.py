"""A mixer with what it needs around it in a block."""

from torch import nn

from wavezoo.config.spec import MixerSpec
from wavezoo.nn.gated import GatedMixer


def placed(
    spec: MixerSpec, channels: int, ndim: int, local_taps: int | None = None, *, causal: bool | None = None
) -> nn.Module:
    """Build a mixer for a block: in a `GatedMixer`, unless its spec is plain.

    Args:
        spec: builds the mixer.
        channels: number of channels C.
        ndim: number of grid axes.
        local_taps: how many positions wide the depthwise convolution in front of it is, 0 for none; None for as many as
            the mixer declares.
        causal: whether that convolution is causal; None for as the mixer is.

    Raises:
        WavezooError: if the mixer cannot work, or if ``local_taps`` is even and not causal.
    """
    mixer = spec(channels, ndim)
    if spec.plain:
        return mixer
    taps = mixer.local_taps if local_taps is None else local_taps
    return GatedMixer(
        mixer,
        channels,
        ndim,
        gated=not mixer.projects,
        causal=spec.causal if causal is None else causal,
        kernel_size=taps,
    )
