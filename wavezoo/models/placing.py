"""A mixer with what it needs around it in a block."""

from torch import nn

from wavezoo.config.spec import MixerSpec
from wavezoo.nn.gated import GatedMixer


def placed(spec: MixerSpec, channels: int, ndim: int) -> nn.Module:
    """Build a mixer for a block: in a `GatedMixer`, unless its spec is plain.

    Args:
        spec: builds the mixer.
        channels: number of channels C.
        ndim: number of grid axes.

    Raises:
        WavezooError: if the mixer cannot work.
    """
    mixer = spec(channels, ndim)
    if spec.plain:
        return mixer
    return GatedMixer(mixer, channels, ndim, gated=not mixer.projects, causal=spec.causal)
