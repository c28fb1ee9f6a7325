"""Benchmarks: operators, models, sequences and transforms, each beside what it is compared with."""

from wavezoo.bench.models import MODELS, bench_models
from wavezoo.bench.operator import GRIDS, bench_operator, operator_cases
from wavezoo.bench.ratios import model_ratios, operator_ratios, ratios_report, sequence_ratios
from wavezoo.bench.report import Report, models_report, operator_report, sequence_report, transforms_report
from wavezoo.bench.sequence import LENGTHS, bench_sequence, exponent, sequence_cases
from wavezoo.bench.transforms import bench_transforms, largest_matmul_axis

__all__ = [
    "GRIDS",
    "LENGTHS",
    "MODELS",
    "Report",
    "bench_models",
    "bench_operator",
    "bench_sequence",
    "bench_transforms",
    "exponent",
    "largest_matmul_axis",
    "model_ratios",
    "models_report",
    "operator_cases",
    "operator_ratios",
    "operator_report",
    "ratios_report",
    "sequence_cases",
    "sequence_ratios",
    "sequence_report",
    "transforms_report",
]
