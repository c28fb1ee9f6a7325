"""What a run records of itself: numbers under documented keys, with the version of their format."""

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import BeforeValidator, Field, TypeAdapter, ValidationError

from wavezoo.errors import WavezooError

FORMAT = 1
Count = Annotated[int, Field(ge=0)]
# JSON has no word for what is not finite; null stands for it.
Number = Annotated[float, BeforeValidator(lambda value: math.nan if value is None else value)]
NonNegative = Annotated[float, Field(ge=0)]
Record = TypeVar("Record")


@dataclass(frozen=True)
class Measurement:
    """What one evaluation found; a line of ``metrics.jsonl``.

    Attributes:
        epoch: epochs of training, a whole number after whole ones.
        updates: updates of the weights.
        samples: samples seen in training, repetitions counted.
        loss: mean loss over the batches since the epoch began, or the last evaluation in it.
        split: what was measured, ``"validation"`` where there is such a split, else ``"test"``.
        metrics: the task's numbers on it, shares between 0 and 1.
        learning_rate: of the last update.
        physics_learning_rate: that of the physical parameters; None for a model without.
        courant_margin: what is left to the stability bound in the layer nearest to it; None where there is no bound.
        samples_per_second: of training, in all processes together.
        seconds: spent on the run since it began.
    """

    epoch: NonNegative
    updates: Count
    samples: Count
    loss: Number
    split: str
    metrics: dict[str, Number]
    learning_rate: float
    physics_learning_rate: float | None
    courant_margin: float | None
    samples_per_second: NonNegative
    seconds: NonNegative
    format: Annotated[int, Field(ge=FORMAT, le=FORMAT)] = FORMAT


@dataclass(frozen=True)
class Summary:
    """What an ended run found; ``summary.json``.

    Attributes:
        recipe: the recipe's name.
        model: the model's.
        data: the data set's.
        task: the task's.
        decides: which of the task's numbers decides.
        higher_is_better: whether more of it is better.
        last: the task's numbers on the test split with the last weights, shares between 0 and 1.
        best: the same with the best weights.
        best_epoch: epochs after which these were the weights.
        best_updates: updates after which they were.
        best_by: the split that decided on them.
        epochs: epochs of training.
        updates: updates of the weights.
        samples: samples seen in training, repetitions counted.
        parameters: number of the model's parameters.
        seconds: spent on the run, interruptions left out.
        device: where it ran, as torch calls it.
        processes: how many it ran in.
        seed: the recipe's.
        versions: of what a result depends on.
        details: tables of the task, such as the accuracy of each class, on the test split with the last weights.
    """

    recipe: str
    model: str
    data: str
    task: str
    decides: str
    higher_is_better: bool
    last: dict[str, Number]
    best: dict[str, Number]
    best_epoch: NonNegative
    best_updates: Count
    best_by: str
    epochs: NonNegative
    updates: Count
    samples: Count
    parameters: Count
    seconds: NonNegative
    device: str
    processes: Count
    seed: Count
    versions: dict[str, str]
    details: dict[str, dict[str, Number]] = field(default_factory=dict)
    format: Annotated[int, Field(ge=FORMAT, le=FORMAT)] = FORMAT

    def __post_init__(self) -> None:
        for numbers in (self.last, self.best):
            if self.decides not in numbers:
                raise ValueError(f"{self.decides} decides and is not among {', '.join(numbers) or 'no numbers'}")

    @property
    def result(self) -> float:
        """The deciding number with the last weights."""
        return self.last[self.decides]

    @property
    def best_result(self) -> float:
        """The deciding number with the best weights."""
        return self.best[self.decides]


def as_json(record: Any, indent: int | None = None) -> str:
    """Return a record as JSON, its format first; null stands for what is not finite."""
    content = asdict(record)
    return json.dumps({"format": content.pop("format"), **_finite(content)}, indent=indent, allow_nan=False)


def read_record(kind: type[Record], text: str, where: Path | str) -> Record:
    """Return what `as_json` wrote.

    Raises:
        WavezooError: naming ``where`` it stands, if it is no such record, or one of another format.
    """
    try:
        content = json.loads(text)
        check_format(content, where)
        return TypeAdapter(kind).validate_python(content)
    except ValidationError as error:
        first = error.errors()[0]
        reason = f"{'.'.join(str(key) for key in first['loc'])}: {first['msg']}"
        raise WavezooError(f"{where} is damaged ({reason}).") from None
    except (ValueError, RecursionError) as error:
        if isinstance(error, WavezooError):
            raise
        raise WavezooError(f"{where} is damaged ({error}).") from None


def check_format(content: Any, where: Path | str) -> None:
    """Raise WavezooError if ``content`` says that it is of another format than this version's, or none."""
    if not isinstance(content, Mapping):
        raise WavezooError(f"{where} is damaged (it holds no mapping).")
    found = content.get("format")
    if found == FORMAT and not isinstance(found, bool):
        return
    if isinstance(found, int) and found > FORMAT:
        raise WavezooError(f"{where} has format {found}; this version of wavezoo reads {FORMAT}. Install a newer one.")
    raise WavezooError(
        f"{where} names no format that this version of wavezoo reads, which is {FORMAT}: it is damaged, or an older "
        "version wrote it. Train anew into another folder, or use the version that wrote it."
    )


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(each) for key, each in value.items()}
    return None if isinstance(value, float) and not math.isfinite(value) else value
