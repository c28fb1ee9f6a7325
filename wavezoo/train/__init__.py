"""From a recipe to a trained model in a run folder, and back."""

from wavezoo.train.compare import average_runs, compare_runs, list_runs
from wavezoo.train.evaluate import evaluate, load_run
from wavezoo.train.interruption import InterruptedTraining
from wavezoo.train.run_folder import load_weights
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
    "train",
]
