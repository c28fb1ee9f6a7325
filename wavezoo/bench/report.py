"""What was measured as one table, from which text, CSV, JSON, Markdown and a record are made."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import groupby

from wavezoo.bench.models import ModelMeasurement
from wavezoo.bench.operator import Measurement
from wavezoo.bench.sequence import LengthMeasurement, exponent
from wavezoo.bench.timing import Cost
from wavezoo.bench.transforms import TransformMeasurement, largest_matmul_axis
from wavezoo.experiments.records import Cell, Column

Row = dict[str, Cell]


@dataclass(frozen=True)
class Report:
    """A table of measurements.

    Attributes:
        title: what was measured, in a few words.
        caption: what a reader has to know to read it right.
        columns: what is shown, in order.
        rows: by the columns' keys, the numbers as they were measured.
        case: keys of the columns that tell one case from another; the rows of a case took turns.
    """

    title: str
    caption: str
    columns: tuple[Column, ...]
    rows: list[Row]
    case: tuple[str, ...] = ()

    def filled(self) -> "Report":
        """Return the report without columns in which no row has anything, as memory that a device does not tell."""
        columns = tuple(each for each in self.columns if any(row.get(each.key) is not None for row in self.rows))
        rows = [{column.key: row.get(column.key) for column in columns} for row in self.rows]
        return Report(self.title, self.caption, columns, rows, self.case)

    def cases(self) -> Iterator[tuple[dict[str, Cell], "Report"]]:
        """Yield each case, and the rows that have it, without the columns that say so."""
        rest = tuple(each for each in self.columns if each.key not in self.case)
        for _, found in groupby(self.rows, key=lambda row: [row[key] for key in self.case]):
            rows = list(found)
            shown = [{each.key: row[each.key] for each in rest} for row in rows]
            yield {key: rows[0][key] for key in self.case}, Report(self.title, self.caption, rest, shown)


CLOCKED = "Medians; the rows of a case took turns in one run; ± is the interquartile range of forward and backward."
KEPT = "*Kept* is what a forward pass keeps for the backward pass."
_BATCH = Column(key="batch", title="batch", digits=0)
_GRID = Column(key="grid", title="grid")
_LIMIT = (
    Column(key="limit_share", title="of the limit", unit="%", scale=0.01, digits=0),
    Column(key="limited_by", title="limited by"),
)
_SPREAD = Column(key="spread", title="±", unit="%", scale=0.01, digits=0)
_ROUNDS = Column(key="rounds", title="rounds", digits=0)
_TIMES = (
    Column(key="forward_ms", title="forward", unit="ms", digits=1),
    Column(key="both_ms", title="forward + backward", unit="ms", digits=1),
    _SPREAD,
)
_MEMORY = (
    Column(key="kept_mib", title="kept", unit="MiB", digits=1),
    Column(key="peak_mib", title="peak", unit="MiB", digits=1),
)


def operator_report(measured: Sequence[Measurement]) -> Report:
    """Return the table of `bench_operator`."""
    columns = (
        _GRID,
        _BATCH,
        Column(key="channels", title="channels", digits=0),
        _ROUNDS,
        Column(key="contender", title="contender"),
    )
    rows = [
        {
            "grid": shown_grid(each.grid),
            "batch": each.batch,
            "channels": each.channels,
            "contender": each.contender,
            **_cost(each.cost),
            "limit_share": each.limit_share,
            "limited_by": each.limited_by,
        }
        for each in measured
    ]
    caption = (
        f"float32. {CLOCKED} {KEPT} A *layer* makes its own medium, attention "
        "its projections; a *solver* is given speed and damping; *bare* is what no solver can do without. "
        f"The naive solver is the published step by FFT. {LIMITED}"
    )
    return Report(
        "Speed of the operator",
        caption,
        (*columns, *_TIMES, *_MEMORY, *_LIMIT),
        rows,
        ("grid", "batch", "channels", "rounds"),
    ).filled()


def models_report(measured: Sequence[ModelMeasurement], size: int) -> Report:
    """Return the table of `bench_models` on images of ``size`` pixels a side."""
    columns = (
        Column(key="baseline", title="size of"),
        _BATCH,
        _ROUNDS,
        Column(key="model", title="model", code=True),
        Column(key="parameters", title="parameters", unit="M"),
        Column(key="gmacs", title="GMACs"),
        Column(key="activations", title="activations", unit="M"),
        Column(key="images_per_s", title="images / s"),
        Column(key="trained_per_s", title="trained images / s"),
        _SPREAD,
        Column(key="kept_mib", title="kept", unit="MiB / image"),
        _MEMORY[1],
        *_LIMIT,
    )
    rows = [
        {
            "baseline": each.baseline,
            "batch": each.batch,
            "model": each.name,
            "parameters": each.parameters,
            "gmacs": each.gmacs,
            "activations": each.activations,
            "images_per_s": 1e3 * each.batch / each.cost.forward_ms,
            "trained_per_s": 1e3 * each.batch / each.cost.both_ms,
            **_cost(each.cost),
            "kept_mib": each.cost.kept_mib / each.batch,
            "limit_share": each.limit_share,
            "limited_by": each.limited_by,
        }
        for each in measured
    ]
    caption = (
        f"{size} x {size} pixels, float32. {CLOCKED} GMACs count convolutions, matrix products, attention and "
        "Fourier transforms (`2.5 N log2 N` operations each, two to a multiplication with addition), no elementwise "
        f"operations; activations what these put out. {KEPT} {LIMITED}"
    )
    shown = [{key: row[key] for key in (column.key for column in columns)} for row in rows]
    return Report("Speed of the models", caption, columns, shown, ("baseline", "batch", "rounds")).filled()


def sequence_report(measured: Sequence[LengthMeasurement], model: str) -> Report:
    """Return the table of `bench_sequence` on ``model``."""
    named = (Column(key="length", title="length", digits=0), _BATCH, _ROUNDS, Column(key="mixer", title="mixer"))
    rows = [{"length": each.length, "batch": each.batch, "mixer": each.mixer, **_cost(each.cost)} for each in measured]
    caption = f"`{model}` with each mixer, float32. {CLOCKED} {KEPT}"
    columns = (*named, *_TIMES, *_MEMORY)
    return Report("Speed over the length of a sequence", caption, columns, rows, ("length", "batch", "rounds")).filled()


def growth(rows: Sequence[Row]) -> Iterator[str]:
    """Yield, for each mixer in rows of `sequence_report` with several lengths, how its time and memory grow."""
    for mixer in dict.fromkeys(str(row["mixer"]) for row in rows):
        own = [row for row in rows if row["mixer"] == mixer and row["batch"] == rows[0]["batch"]]
        lengths, *values = ([float(row[key]) for row in own] for key in ("length", "both_ms", "kept_mib"))  # type: ignore[arg-type]
        if len(set(lengths)) > 1:
            time, memory = (exponent(lengths, each) for each in values)
            yield f"{mixer}: time grows like N^{time:.2f}, memory like N^{memory:.2f}"


def transforms_report(measured: Sequence[TransformMeasurement]) -> Report:
    """Return the table of `bench_transforms`."""
    columns = (
        _GRID,
        Column(key="fft_ms", title="by FFT", unit="ms", digits=1),
        Column(key="matmul_ms", title="by matrix products", unit="ms", digits=1),
        Column(key="faster", title="faster", code=True),
        Column(key="chosen", title="chosen", code=True),
    )
    rows = [{**asdict(each), "grid": shown_grid(each.grid)} for each in measured]
    caption = (
        "The cosine transform there and back, forward and backward, of a million numbers in float32; *chosen* is what "
        f'`method="auto"` stands for, `plane` one product over both axes. {_found(measured)}'
    )
    return Report("FFT or matrix products", caption, columns, rows)


LIMITED = (
    "*Of the limit* is the share that the forward pass reaches of what the device can do, seen in the same run: of the "
    "memory bandwidth of a copy (arguments in, result out), or of the arithmetic of a matrix product (compute), "
    "whichever is nearer."
)


def shown_grid(grid: Sequence[int]) -> str:
    """Return a ``grid`` as users give it, such as ``28x28``."""
    return "x".join(str(size) for size in grid)


def _found(measured: Sequence[TransformMeasurement]) -> str:
    largest = largest_matmul_axis(measured).items()
    parts = [f"{cells} cells {'of a line' if ndim == 1 else 'a side'}" for ndim, cells in largest if cells]
    return f"Matrix products were faster up to {' and '.join(parts)}." if parts else "FFT was faster throughout."


def _cost(cost: Cost) -> Row:
    return {
        "forward_ms": cost.forward_ms,
        "both_ms": cost.both_ms,
        "spread": cost.both_spread_ms / cost.both_ms,
        "rounds": cost.rounds,
        "kept_mib": cost.kept_mib,
        "peak_mib": cost.peak_mib,
    }
