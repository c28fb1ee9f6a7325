"""The work of a function: multiplications, transforms, and the numbers that they put out."""

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode, flop_registry


class Work(NamedTuple):
    """What a function does.

    Attributes:
        operations: of convolutions, matrix products and attention, and ``2.5 N log2 N`` for each real Fourier
            transform; elementwise ones are not counted, as is customary.
        outputs: numbers that these put out.
    """

    operations: int
    outputs: int


def work_of(function: Callable[[], object]) -> Work:
    """Run ``function`` without gradients and return its work."""
    with torch.no_grad():
        with _Outputs() as outputs:
            function()
        with FlopCounterMode(display=False, custom_mapping=COUNTED) as counter:
            function()
    return Work(counter.get_total_flops(), outputs.numbers)


def _transform_flops(shape: Sequence[int], axes: Sequence[int], *args: Any, out_shape: Sequence[int], **_: Any) -> int:
    """Return the operations of a real Fourier transform between ``shape`` and ``out_shape`` over ``axes``."""
    cells = [max(shape[axis], out_shape[axis]) for axis in axes]
    lines = math.prod(shape) // math.prod(shape[axis] for axis in axes)
    return int(lines * 2.5 * math.prod(cells) * math.log2(max(2, math.prod(cells))))


COUNTED = {
    torch.ops.aten._fft_r2c: _transform_flops,
    torch.ops.aten._fft_c2r: _transform_flops,
}


class _Outputs(TorchDispatchMode):
    """Counts the numbers that the operations put out whose work is counted."""

    def __init__(self) -> None:
        super().__init__()
        self.numbers = 0

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        output = function(*args, **(kwargs or {}))
        packet = function.overloadpacket
        if packet in flop_registry or packet in COUNTED:
            first = output[0] if isinstance(output, (tuple, list)) else output
            self.numbers += first.numel()
        return output
