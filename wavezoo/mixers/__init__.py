"""Mixers of positions, the wave operator among them: the contract, and one a file."""

from wavezoo.mixers.attention import AttentionMixer
from wavezoo.mixers.base import Mixer
from wavezoo.mixers.depthwise import DepthwiseMixer
from wavezoo.mixers.global_filter import GlobalFilterMixer
from wavezoo.mixers.none import NoMixer
from wavezoo.mixers.pooling import PoolingMixer
from wavezoo.mixers.recurrent import RecurrentMixer
from wavezoo.mixers.s4d import S4DMixer
from wavezoo.mixers.string import StringMixer
from wavezoo.mixers.wave import WaveMixer

__all__ = [
    "AttentionMixer",
    "DepthwiseMixer",
    "GlobalFilterMixer",
    "Mixer",
    "NoMixer",
    "PoolingMixer",
    "RecurrentMixer",
    "S4DMixer",
    "StringMixer",
    "WaveMixer",
]
