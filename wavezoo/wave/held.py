"""A medium that no input changes, kept from one call to the next: with it, whatever was computed of it alone.

A cache that is wrong once is worse than none, so what is kept is used only where a new one is known to be equal:
without gradients, on plain tensors, for the same parameters with the same values.
"""

from collections.abc import Callable, Hashable, Iterable
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Tensor, nn

from wavezoo.wave.layout import channels_last
from wavezoo.wave.system import WaveSystem

if TYPE_CHECKING:
    from wavezoo.wave.operator import WaveOperator

# Parameters up to this size are compared number by number.
LARGEST_COMPARED = 2**16


class Entry(NamedTuple):
    """What is kept, and what it was made of.

    Attributes:
        system: the medium.
        key: grid, dtype and all else that is no parameter.
        schemes: the operator's.
        sources: the parameters and buffers themselves, so that no other tensor can take their place in memory.
        versions: how often each had been written to.
        copies: their values, where they are compared; None elsewhere.
    """

    system: WaveSystem
    key: Hashable
    schemes: tuple[Any, ...]
    sources: tuple[Tensor, ...]
    versions: tuple[int, ...]
    copies: tuple[Tensor | None, ...]


class HeldMedium:
    """The medium of an operator, kept for one grid, dtype and device at a time.

    It is made anew when a parameter or a buffer is another tensor, was written to, or, on a CPU, has other values: so
    writes through ``.data``, which leave no trace, are noticed there. On other devices a comparison would wait for the
    device, and such writes go unnoticed; optimizers, ``load_state_dict`` and moving averages write in ways that are
    noticed everywhere. Copies and pickles of an operator hold nothing.

    Memory: the coefficients of one sample's modes, once for a start at rest, four times at most.
    """

    def __init__(self) -> None:
        self._entry: Entry | None = None

    def get(self, operator: "WaveOperator", u: Tensor, make: Callable[[Tensor], WaveSystem]) -> WaveSystem:
        """Return the medium of ``operator`` for fields like ``u``, kept or made.

        Args:
            operator: the operator.
            u: a field.
            make: makes the medium for fields like the one that it is given, of nothing but the operator.
        """
        if torch.is_grad_enabled() or not _is_given_by_parameters(operator):
            return make(u)
        sources = (*operator.parameters(), *operator.buffers())
        if not _is_plain(u, sources):
            return make(u)
        device, laplacian = u.device, operator.laplacian
        schemes = (
            *(laplacian, operator.integrator, operator.damping, operator.speed, operator.damping_field),
            operator.courant_guard,
        )
        of_operator = (operator.grid_spacing, operator.steps, laplacian.complex_free)
        autocast = torch.is_autocast_enabled(device.type) and torch.get_autocast_dtype(device.type)
        key = (of_operator, u.shape[1:], u.dtype, device, channels_last(u), autocast)
        entry = self._entry
        if entry is None or not _is_current(entry, key, schemes, sources):
            # Not of inference mode: what is kept may be used outside.
            with torch.inference_mode(False), torch.no_grad():
                # Of the shape of a field and without its memory, which would be kept too.
                system = make(torch.empty((), dtype=u.dtype, device=device).expand(1, *u.shape[1:]))
            system.remember()
            versions = tuple(each._version for each in sources)
            self._entry = entry = Entry(system, key, schemes, sources, versions, tuple(map(_copied, sources)))
        return entry.system

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "_entry": None}


def _is_given_by_parameters(operator: "WaveOperator") -> bool:
    """Return whether no input changes the medium, and nothing that is hooked to a field waits for it to be called."""
    # Of a force, the guard looks at the displacement.
    if operator.potential is not None:
        return False
    fields = [field for field in (operator.speed, operator.damping_field) if field is not None]
    return not any(field.depends_on_input for field in fields) and not any(
        each._forward_hooks or each._forward_pre_hooks for field in fields for each in field.modules()
    )


def _is_plain(u: Tensor, sources: Iterable[Tensor]) -> bool:
    """Return whether operations on these tensors are no more than what they do."""
    if torch.compiler.is_compiling() or torch.jit.is_tracing():
        return False
    if torch._C._are_functorch_transforms_active() or torch.utils._python_dispatch._len_torch_dispatch_stack():
        return False
    return type(u) is Tensor and all(
        type(each) in (Tensor, nn.Parameter) and not each.is_inference() and each.device == u.device for each in sources
    )


def _is_current(entry: Entry, key: Hashable, schemes: tuple[Any, ...], sources: tuple[Tensor, ...]) -> bool:
    return (
        entry.key == key
        and len(entry.sources) == len(sources)
        and all(one is other for one, other in zip((*entry.schemes, *entry.sources), (*schemes, *sources), strict=True))
        and all(version == each._version for version, each in zip(entry.versions, sources, strict=True))
        and all(copy is None or torch.equal(copy, each) for copy, each in zip(entry.copies, sources, strict=True))
    )


def _copied(source: Tensor) -> Tensor | None:
    compared = source.device.type == "cpu" and source.numel() <= LARGEST_COMPARED
    return source.detach().clone() if compared else None
