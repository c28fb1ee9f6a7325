"""Parameter fields, where speed and damping come from: the contract, and one scheme a file."""

from wavezoo.wave.fields.base import ParameterField
from wavezoo.wave.fields.constant import ConstantField
from wavezoo.wave.fields.depthwise import DepthwiseField
from wavezoo.wave.fields.fourier import FourierField
from wavezoo.wave.fields.gated import GatedField
from wavezoo.wave.fields.pointwise import PointwiseField
from wavezoo.wave.fields.positional import PositionalField
from wavezoo.wave.fields.sponge import SpongeField

__all__ = [
    "ConstantField",
    "DepthwiseField",
    "FourierField",
    "GatedField",
    "ParameterField",
    "PointwiseField",
    "PositionalField",
    "SpongeField",
]
