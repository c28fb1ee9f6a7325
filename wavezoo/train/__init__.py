"""From a recipe to a trained model in a run folder, and back."""

from wavezoo.runs.compare import average_runs, compare_runs, list_runs
from wavezoo.runs.folder import load_weights
from wavezoo.train.evaluate import evaluate, load_run
from wavezoo.train.interruption import InterruptedTraining
from wavezoo.train.smoke import smoke
from wavezoo.train.start import resume, train

__all__ = [
    "InterruptedTraining",
    "average_runs",
    "compare_runs",
    "evaluate",
    "list_runs",
    "load_run",
    "load_weights",
    "resume",
    "smoke",
    "train",
]
