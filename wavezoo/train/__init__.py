"""From a recipe to a trained model in a run folder, and back."""

from wavezoo.train.evaluate import evaluate, load_run
from wavezoo.train.loop import train
from wavezoo.train.run_folder import load_weights

__all__ = ["evaluate", "load_run", "load_weights", "train"]
