"""Sizes of images, and stages by number, as users give them."""

from collections.abc import Sequence

from timm.models import register_notrace_function

from wavezoo.config.options import plain
from wavezoo.errors import WavezooError, require_whole, shown


def image_size(size: object) -> tuple[int, int]:
    """Return height and width of images whose ``size`` is one number or two.

    Raises:
        WavezooError: if it is neither.
    """
    sizes = plain(size)
    if isinstance(sizes, (list, tuple)):
        if len(sizes) != 2:
            raise WavezooError(f"img_size is {shown(size)}; give one number of pixels, or height and width.")
        return require_whole("img_size", sizes[0]), require_whole("img_size", sizes[1])
    return require_whole("img_size", sizes), require_whole("img_size", sizes)


def stages_named(count: int, indices: int | Sequence[int] | None) -> list[int]:
    """Return the numbers of the stages that ``indices`` names: the last n, those of a list (-1 the last), or all.

    Raises:
        WavezooError: if there are no such stages.
    """
    stages = range(count)
    wanted = [count] if indices is None else [indices] if isinstance(indices, int) else list(indices)
    if indices is None or isinstance(indices, int):
        if not 1 <= wanted[0] <= count:
            raise WavezooError(f"indices is {indices!r}; give a number of stages from 1 to {count}.")
        return list(stages[count - wanted[0] :])
    if not wanted or not all(-count <= each < count for each in wanted):
        raise WavezooError(f"indices is {indices!r}; this model has {count} stages, from 0 to {count - 1}.")
    return [stages[each] for each in wanted]


@register_notrace_function
def check_size(size: Sequence[int], smallest: int) -> None:
    """Raise WavezooError if images of ``size`` are smaller than ``smallest``."""
    height, width = size
    if min(height, width) < smallest:
        raise WavezooError(
            f"images of {height} x {width} pixels are too small: this model reduces them by {smallest}. "
            "Give larger images, a smaller patch_size, or a wavepde_iso model."
        )
