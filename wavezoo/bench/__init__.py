"""Benchmarks: operators, models and sequences, each beside what it is compared with."""

from wavezoo.bench.models import SIZES as MODELS
from wavezoo.bench.models import ModelMeasurement, bench_models
from wavezoo.bench.operator import SIZES, Measurement, bench_operator
from wavezoo.bench.sequence import LENGTHS, LengthMeasurement, bench_sequence, exponent
from wavezoo.bench.timing import as_records

__all__ = [
    "LENGTHS",
    "MODELS",
    "SIZES",
    "LengthMeasurement",
    "Measurement",
    "ModelMeasurement",
    "as_records",
    "bench_models",
    "bench_operator",
    "bench_sequence",
    "exponent",
]
