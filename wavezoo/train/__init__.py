"""From a recipe to a trained model in a run folder, and back."""

from wavezoo.runs.folder import load_weights
from wavezoo.train.evaluate import Evaluation, TrainedModel, evaluate, load_run
from wavezoo.train.interruption import InterruptedTraining
from wavezoo.train.smoke import smoke
from wavezoo.train.start import resume, train

__all__ = [
    "Evaluation",
    "InterruptedTraining",
    "TrainedModel",
    "evaluate",
    "load_run",
    "load_weights",
    "resume",
    "smoke",
    "train",
]
