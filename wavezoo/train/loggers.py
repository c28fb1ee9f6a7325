"""What is measured in training, for other programs to show: TensorBoard, or a service that accelerate knows."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any

from accelerate.tracking import LOGGER_TYPE_TO_CLASS, get_available_trackers

from wavezoo.config.recipe import Recipe
from wavezoo.errors import WavezooError, not_allowed
from wavezoo.runs.compare import flat
from wavezoo.runs.folder import RunFolder

TENSORBOARD = "tensorboard"
# Takes the number of updates and what was measured after them.
Log = Callable[[int, Mapping[str, float]], None]


@contextmanager
def logger(recipe: Recipe, folder: RunFolder) -> Iterator[Log]:
    """Yield what writes measurements where the recipe says, or what does nothing.

    Nothing is written before the first measurement.

    Raises:
        WavezooError: if there is no such logger, or if its package is not installed.
    """
    known = [TENSORBOARD, *(name for name in LOGGER_TYPE_TO_CLASS if name != TENSORBOARD)]
    with ExitStack() as opened:
        if recipe.logger is None:
            yield lambda updates, measured: None
        elif recipe.logger == TENSORBOARD:
            yield _tensorboard(folder, opened)
        elif recipe.logger in known:
            yield _service(recipe, folder, opened)
        else:
            raise not_allowed("logger", recipe.logger, known)


def _tensorboard(folder: RunFolder, opened: ExitStack) -> Log:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        raise WavezooError("logger: tensorboard needs the package tensorboard; pip install 'wavezoo[plot]'.") from error
    writer: Any = None

    def log(updates: int, measured: Mapping[str, float]) -> None:
        nonlocal writer
        if writer is None:
            folder.require()
            # What a killed run had logged of these updates and later ones is void. One file for all that follow:
            # TensorBoard reads files in the order of their names, which tell seconds but not what came first.
            writer = opened.enter_context(SummaryWriter(folder.path / TENSORBOARD, purge_step=updates))
        for name, value in measured.items():
            writer.add_scalar(name, value, updates)
        # A process that is killed loses what it holds.
        writer.flush()

    return log


def _service(recipe: Recipe, folder: RunFolder, opened: ExitStack) -> Log:
    name, tracker = str(recipe.logger), None
    if name not in [str(each) for each in get_available_trackers()]:
        raise WavezooError(f"logger: {name} needs its package, which is not installed. pip install it.")

    def log(updates: int, measured: Mapping[str, float]) -> None:
        nonlocal tracker
        if tracker is None:
            tracker = _started(name, recipe, folder)
            opened.callback(tracker.finish)
        tracker.log(dict(measured), step=updates)

    return log


def _started(name: str, recipe: Recipe, folder: RunFolder) -> Any:
    kind: Any = LOGGER_TYPE_TO_CLASS[name]
    try:
        tracker = kind(recipe.name, *([folder.path] if kind.requires_logging_directory else []))
        # Versions of accelerate from before this method start in the constructor.
        getattr(tracker, "start", lambda: None)()
        tracker.store_init_configuration({key: str(value) for key, value in flat(recipe.model_dump()).items()})
    # A service's client may raise anything.
    except Exception as error:
        raise WavezooError(f"logger: {name} cannot be started: {error}. Log in there, or choose another.") from error
    return tracker
