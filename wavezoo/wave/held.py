"""A medium that no input changes, kept from one call to the next: with it, whatever was computed of it alone.

A cache that is wrong once is worse than none, so what is kept is used only where a new one is known to be equal:
without gradients, on plain tensors, for the same parameters with the same values.
"""

from collections.abc import Hashable, Iterable
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Tensor, nn

from wavezoo.wave.layout import channels_last
from wavezoo.wave.precision import autocast_dtype, without_autocast
from wavezoo.wave.system import WaveSystem

if TYPE_CHECKING:
    from wavezoo.wave.operator import WaveOperator

# Parameters up to this size are compared number by number.
LARGEST_COMPARED = 2**16


class Entry(NamedTuple):
    """What is kept, and what it was made of.

    Attributes:
        system: the medium.
        key: grid, dtype, options and all else that is no parameter.
        schemes: the operator's.
        sources: the parameters and buffers themselves, so that no other tensor can take their place in memory.
        traces: what a change of each leaves behind.
        copies: their values, where they are compared; None elsewhere.
    """

    system: WaveSystem
    key: Hashable
    schemes: tuple[Any, ...]
    sources: tuple[Tensor, ...]
    traces: tuple[Hashable, ...]
    copies: tuple[Tensor | None, ...]


class HeldMedium:
    """The medium of an operator, kept for one grid, dtype and device at a time.

    It is made anew when a parameter or a buffer is another tensor, was written to, or, on a CPU, has other values: so
    writes through ``.data``, which leave no trace, are noticed there. On other devices a comparison would wait for the
    device, and such writes go unnoticed until ``train()`` or ``eval()`` is called; conversions, optimizers,
    ``load_state_dict`` and moving averages are noticed everywhere. Copies and pickles of an operator hold nothing, nor
    does a CUDA graph, which computes the medium anew at every replay.

    Memory: the coefficients of one sample's modes, once for a start at rest, four times at most.
    """

    def __init__(self) -> None:
        self._entry: Entry | None = None

    def drop(self) -> None:
        """Keep nothing until the next call."""
        self._entry = None

    def get(self, operator: "WaveOperator", x: Tensor, u: Tensor) -> WaveSystem:
        """Return the medium of ``operator``, kept or made.

        Args:
            operator: the operator.
            x: its input.
            u: the field that the input stands for, in the dtype of the solver.
        """
        if torch.is_grad_enabled() or not _is_given_by_parameters(operator):
            return _made(operator, x, u)
        sources = (*operator.parameters(), *operator.buffers())
        if not _is_plain(u, sources):
            return _made(operator, x, u)
        schemes = _schemes(operator)
        key = _key(operator, u, schemes)
        entry = self._entry
        if entry is None or not _is_current(entry, key, schemes, sources):
            # What another thread writes meanwhile is found to be newer.
            traces, copies = tuple(map(_trace, sources)), tuple(map(_copied, sources))
            # Not of inference mode: what is kept may be used outside.
            with torch.inference_mode(False), torch.no_grad():
                # Of the shape of a field and without its memory, which would be kept too.
                system = _made(operator, x, torch.empty((), dtype=u.dtype, device=u.device).expand(1, *u.shape[1:]))
            system.remember()
            self._entry = entry = Entry(system, key, schemes, sources, traces, copies)
        return entry.system

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "_entry": None}


def _made(operator: "WaveOperator", x: Tensor, u: Tensor) -> WaveSystem:
    speed, gamma = operator.coefficients(x)
    with without_autocast(u.device):
        return operator.medium(u, speed, gamma)


def _schemes(operator: "WaveOperator") -> tuple[Any, ...]:
    return operator.laplacian, operator.integrator, operator.damping, operator.speed, operator.damping_field


def _key(operator: "WaveOperator", u: Tensor, schemes: tuple[Any, ...]) -> Hashable:
    options = [
        value
        for scheme in (operator, *schemes)
        if scheme is not None
        for value in vars(scheme).values()
        if type(value) in (bool, int, float, str)
    ]
    # What one stream makes another would have to wait for.
    stream = torch.cuda.current_stream(u.device).cuda_stream if u.is_cuda else None
    return tuple(options), u.shape[1:], u.dtype, u.device, channels_last(u), autocast_dtype(u.device), stream


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
    if u.is_cuda and torch.cuda.is_current_stream_capturing():
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
        and all(trace == _trace(each) for trace, each in zip(entry.traces, sources, strict=True))
        and all(copy is None or torch.equal(copy, each) for copy, each in zip(entry.copies, sources, strict=True))
    )


def _trace(source: Tensor) -> Hashable:
    return source._version, source.data_ptr(), source.dtype


def _copied(source: Tensor) -> Tensor | None:
    compared = source.device.type == "cpu" and source.numel() <= LARGEST_COMPARED
    return source.detach().clone() if compared else None
