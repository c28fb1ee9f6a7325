"""Values that are not finite, kept from reaching earlier positions."""

from torch import Tensor


def contained(x: Tensor) -> tuple[Tensor, Tensor]:
    """Return a sequence without values that are not finite, and what to add to the output so that these show.

    Products with zeros, by which later positions are left out, would hand NaN on to every position.

    Args:
        x: inputs ``(B, C, N)``.

    Returns:
        The inputs, zero where they are not finite, and ``(B, C, N)``: zero, and from the first such value on NaN.
    """
    return x.nan_to_num(0.0, 0.0, 0.0), (x.detach() * 0).cumsum(-1)
