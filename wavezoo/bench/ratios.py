"""How many times as fast ours is as what it stands beside, from the rows of the other tables."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import Any

from wavezoo.bench.contenders import (
    BARE,
    COMPILED,
    DEPTHWISE,
    FILTER,
    FUSED,
    LAPLACIANS,
    NAIVE,
    STEPPED,
    TRANSFORMS,
    UNFUSED,
    presets,
)
from wavezoo.bench.report import Report, Row
from wavezoo.experiments.records import Column

COLUMNS = (
    Column(key="case", title="case"),
    Column(key="ours", title="ours"),
    Column(key="beside", title="beside"),
    Column(key="forward", title="forward", digits=2),
    Column(key="both", title="forward + backward", digits=2),
    Column(key="kept", title="kept", digits=2),
)
CAPTION = (
    "How many times as fast forward, and forward and backward; *kept* is how many times as much memory a forward pass "
    "keeps for the backward pass. Of attention, fused and unfused, eager and, beside what is compiled, compiled, the "
    "fastest is taken; the one named is the fastest forward and backward."
)


def ratios_report(rows: Iterable[Row]) -> Report:
    """Return ratios as a table, see `operator_ratios`, `model_ratios` and `sequence_ratios`."""
    return Report("Ratios", CAPTION, COLUMNS, list(rows), ("case",))


def operator_ratios(rows: Sequence[Row]) -> Iterator[Row]:
    """Yield the ratios in rows of `wavezoo.bench.report.operator_report`."""
    for case, by_name in _cases(rows, ("grid", "batch", "channels"), "contender"):
        called = f"{case[0]}, batch {case[1]}, {case[2]} channels"
        for suffix in ("", COMPILED):
            layers = [f"layer: {preset}{suffix}" for preset in presets()]
            closed = f"layer: closed_form{suffix}"
            rivals = [f"layer: {kind}{each}" for kind in (FUSED, UNFUSED) for each in ("", suffix)]
            for ours in layers:
                yield from _ratio(called, by_name, ours, rivals)
            for beside in (FILTER, DEPTHWISE, TRANSFORMS):
                yield from _ratio(called, by_name, closed, [beside])
            for beside in (NAIVE, LAPLACIANS):
                yield from _ratio(called, by_name, STEPPED + suffix, [beside])


def model_ratios(rows: Sequence[Row]) -> Iterator[Row]:
    """Yield the ratios in rows of `wavezoo.bench.report.models_report`."""
    for case, by_name in _cases(rows, ("baseline", "batch"), "model"):
        for ours in by_name:
            suffix = COMPILED if ours.endswith(COMPILED) else ""
            if ours.startswith("wavepde"):
                yield from _ratio(f"images, batch {case[1]}", by_name, ours, [f"{case[0]}{suffix}"])


def sequence_ratios(rows: Sequence[Row]) -> Iterator[Row]:
    """Yield the ratios in rows of `wavezoo.bench.report.sequence_report`."""
    for case, by_name in _cases(rows, ("length", "batch"), "mixer"):
        for ours in by_name:
            suffixes = ("", COMPILED) if ours.endswith(COMPILED) else ("",)
            if not ours.startswith("attention"):
                rivals = [f"{kind}{suffix}" for kind in (FUSED, UNFUSED) for suffix in suffixes]
                yield from _ratio(f"sequence model, {case[0]} positions, batch {case[1]}", by_name, ours, rivals)


def _cases(rows: Sequence[Row], keys: Sequence[str], name: str) -> Iterator[tuple[list[Any], dict[str, Any]]]:
    for case, found in groupby(rows, key=lambda row: [row[key] for key in keys]):
        yield case, {str(row[name]): row for row in found}


def _ratio(case: str, by_name: dict[str, Any], ours: str, beside: Sequence[str]) -> Iterator[Row]:
    rivals = [by_name[each] for each in dict.fromkeys(beside) if each in by_name]
    if ours not in by_name or not rivals:
        return
    own, speed = by_name[ours], {}
    for key, value in (("forward", _forward), ("both", _both)):
        speed[key] = min(map(value, rivals)) / value(own)
    fastest = min(rivals, key=_both)
    name = next(each for each in beside if by_name.get(each) is fastest)
    bare = name.startswith(BARE)
    kept = None if bare else own["kept_mib"] / fastest["kept_mib"]
    yield {"case": case, "ours": ours, "beside": name, **speed, "kept": kept}


def _forward(row: dict[str, Any]) -> float:
    return float(row["forward_ms"] if "forward_ms" in row else 1 / row["images_per_s"])


def _both(row: dict[str, Any]) -> float:
    return float(row["both_ms"] if "both_ms" in row else 1 / row["trained_per_s"])
