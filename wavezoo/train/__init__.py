"""From a recipe to a trained model in a run folder, and back."""

from wavezoo.train.evaluate import evaluate
from wavezoo.train.loop import train

__all__ = ["evaluate", "train"]
