"""The one table of what a plugin may bring: schemes on seven axes, and models, data sets, tasks and recipes.

Hooks, option checks, ``wavezoo list`` and ``describe``, conformance and the documents follow from it. It imports
nothing heavy, so that the command line can name the axes at once; what a row points to is imported where it is needed.
"""

import importlib
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Kind:
    """Something that plugins bring, by name.

    Attributes:
        name: the plural, as in ``wavezoo list integrators``.
        singular: the word for one, as in messages.
        path: where the class that each is checked against stands, as ``module:name``.
        summary: what a plugin returns, a sentence for the hook's documentation.
    """

    name: str
    singular: str
    path: str
    summary: str

    @property
    def hook(self) -> str:
        """The name of the hook that brings them."""
        return f"wavezoo_{self.name}"

    @property
    def contract(self) -> type[Any]:
        """The class that each is checked against: a subclass of it on an axis, an instance of it elsewhere."""
        module, _, attribute = self.path.partition(":")
        contract: type[Any] = getattr(importlib.import_module(module), attribute)
        return contract


@dataclass(frozen=True)
class Axis(Kind):
    """An axis along which schemes are swapped.

    Attributes:
        built_with: names of the positional arguments that a scheme is built with, before its own options.
        given: keyword arguments that whoever builds a scheme adds to its own options.
        roles: keywords of `wavezoo.create_operator` that choose a scheme of this axis.
        optional: whether "none" stands for no scheme at all.
        suite: the module whose ``CHECKS`` every scheme must pass.
    """

    built_with: tuple[str, ...] = ("channels", "ndim")
    given: tuple[str, ...] = ()
    roles: tuple[str, ...] = ()
    optional: bool = False
    suite: str = ""


def _by_name(*kinds: Any) -> dict[str, Any]:
    return {kind.name: kind for kind in kinds}


AXES: dict[str, Axis] = _by_name(
    Axis(
        "laplacians",
        "laplacian",
        "wavezoo.wave.laplacians:Laplacian",
        "discrete Laplacians",
        roles=("laplacian",),
        suite="wavezoo.testing.laplacians",
    ),
    Axis(
        "integrators",
        "integrator",
        "wavezoo.wave.integrators:Integrator",
        "time integrators",
        built_with=(),
        roles=("integrator",),
        suite="wavezoo.testing.integrators",
    ),
    Axis(
        "fields",
        "field",
        "wavezoo.wave.fields:ParameterField",
        "parameter fields, which serve for the speed and for the damping",
        given=("initial",),
        roles=("speed", "damping_field"),
        suite="wavezoo.testing.fields",
    ),
    Axis(
        "damping",
        "damping",
        "wavezoo.wave.damping:Damping",
        "damping schemes",
        roles=("damping",),
        suite="wavezoo.testing.damping",
    ),
    Axis(
        "potentials",
        "potential",
        "wavezoo.wave.potentials:Potential",
        "potentials, whose force is minus their derivative in the displacement",
        roles=("potential",),
        optional=True,
        suite="wavezoo.testing.potentials",
    ),
    Axis(
        "drifts",
        "drift",
        "wavezoo.wave.drifts:Drift",
        "drifts of the medium as a whole",
        roles=("drift",),
        optional=True,
        suite="wavezoo.testing.drifts",
    ),
    Axis(
        "mixers",
        "mixer",
        "wavezoo.mixers:Mixer",
        "mixers of positions, what stands where the wave operator does in a block; one with an option ``operator`` is "
        "handed the wave operator that the model's keywords describe",
        given=("causal", "operator"),
        suite="wavezoo.testing.mixers",
    ),
)

# What is brought whole, and not chosen along an axis of the wave operator.
WHOLE: dict[str, Kind] = _by_name(
    Kind(
        "models",
        "model",
        "wavezoo.models.entry:ModelEntry",
        "models; each says what it maps to what, and how it is built",
    ),
    Kind("datasets", "data set", "wavezoo.data.entry:DatasetEntry", "data sets"),
    Kind("tasks", "task", "wavezoo.tasks.base:Task", "tasks: what is learned from a data set, and how it is measured"),
    Kind("recipes", "recipe", "pathlib:Path", "recipes, each the path of a YAML file that ships with the plugin"),
)

KINDS: dict[str, Kind] = {**AXES, **WHOLE}
ROLES: dict[str, Axis] = {role: axis for axis in AXES.values() for role in axis.roles}
