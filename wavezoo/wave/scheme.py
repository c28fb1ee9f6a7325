"""What every scheme of every axis declares."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

Grid = Sequence[int]


@dataclass(frozen=True)
class Requires:
    """What a scheme needs of the other schemes; checked once, when the operator is built.

    Attributes:
        modes: a Laplacian that is diagonal in modes that it offers.
        self_adjoint: a Laplacian that is self-adjoint.
        periodic: a Laplacian with periodic boundaries.
        uniform_speed: a speed that is the same everywhere in space.
        uniform_damping: a damping that is the same everywhere in space.
        exact_decay: a damping scheme whose decay is that of the equation, not an approximation to it.
        quadratic_potential: no potential, or one whose force is proportional to the displacement, everywhere alike.
    """

    modes: bool = False
    self_adjoint: bool = False
    periodic: bool = False
    uniform_speed: bool = False
    uniform_damping: bool = False
    exact_decay: bool = False
    quadratic_potential: bool = False


class Scheme:
    """What every scheme of every axis declares.

    A scheme with parameters sets them, and its persistent buffers, in ``reset_parameters()``, which its constructor
    calls.

    Attributes:
        variants: sets of options that the conformance suite covers, besides the defaults where every option has one.
        requires: what it needs of the other schemes.
        causal: whether what it does at a position depends on positions up to it only.
    """

    causal: bool
    variants: ClassVar[tuple[Mapping[str, Any], ...]] = ()
    requires: Requires = Requires()
