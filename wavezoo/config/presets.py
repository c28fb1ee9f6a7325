"""Presets of the wave operator: a named choice on every axis, and of every option."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from wavezoo.errors import not_allowed


@dataclass(frozen=True)
class Preset:
    """A choice on every axis of the wave operator, and of every option.

    Attributes:
        description: what it is for, in a sentence.
        choices: keyword arguments of `wavezoo.create_operator`.
        idle: the options that change nothing as long as the others are the preset's, each with the reason.
        plain: whether the operator stands alone in a block, as published, instead of between a depthwise convolution
            and a gate.
        reaches_far: whether a model that knows its grid lets waves travel half of it, unless told how far.
    """

    description: str
    choices: Mapping[str, Any]
    idle: Mapping[str, str] = field(default_factory=dict)
    plain: bool = False
    reaches_far: bool = False


_STEPPED: dict[str, Any] = {
    "laplacian": "spectral",
    "integrator": "velocity_verlet",
    "speed": {"name": "pointwise", "initial": 0.7},
    "damping": "exponential",
    "damping_field": {"name": "constant", "initial": 0.1},
    "potential": None,
    "drift": None,
    "steps": 4,
    "reach": None,
    "looks": None,
    "dt": 0.5,
    "learn_dt": True,
    "initial_velocity": "zero",
    "readout": "displacement",
    "courant_guard": "limit",
    "gradient": "store",
    "causal": False,
}

PRESETS: dict[str, Preset] = {
    "stepped": Preset("time steps through a medium that the input shapes", _STEPPED),
    "closed_form": Preset(
        "the exact solution in a medium that is the same everywhere, for one transform pair: fresh channels carry from "
        "less than a cell to many",
        {
            **_STEPPED,
            "laplacian": "cosine",
            "integrator": "exact",
            "speed": {"name": "constant", "initial": 1.4, "spread": 4.5},
            "damping_field": {"name": "constant", "initial": 0.2, "spread": 4.5},
            "steps": 1,
            "dt": 1.0,
            "learn_dt": False,
        },
        idle={
            "courant_guard": "the exact solution is stable at every Courant number",
            "learn_dt": "speed and damping learn all that a time step could",
        },
    ),
    "trajectory": Preset(
        "the exact solution on an open grid, of waves on their way, looked at many times from below a cell to half the "
        "grid: sees far and tells directions, for one transform pair",
        {
            **_STEPPED,
            "laplacian": "open",
            "integrator": "exact",
            "speed": {"name": "constant", "initial": 1.0},
            "damping_field": {"name": "constant", "initial": 0.01},
            "steps": 16,
            "dt": 1.0,
            "learn_dt": False,
            "looks": 16,
            "initial_velocity": "transported",
            "readout": "trajectory",
        },
        idle={
            "courant_guard": "the exact solution is stable at every Courant number",
            "learn_dt": "the times of looks learn all that a time step could",
        },
        reaches_far=True,
    ),
    "paper": Preset(
        "the layer as published",
        {
            **_STEPPED,
            "damping": "linear",
            "damping_field": {"name": "pointwise", "initial": 0.1},
            # The publication leaves the first time step open. Without a guard, this one keeps a fresh layer stable.
            "dt": 0.25,
            "courant_guard": "off",
        },
        plain=True,
    ),
}

OPERATOR_CHOICES = tuple(_STEPPED)


def find_preset(name: str) -> Preset:
    """Return the preset called ``name``.

    Raises:
        WavezooError: if there is none.
    """
    if not isinstance(name, str) or name not in PRESETS:
        raise not_allowed("preset", name, PRESETS)
    return PRESETS[name]
