"""What a model is to do with data, by name."""

from wavezoo.tasks.base import Examples, Task
from wavezoo.tasks.classification import Classification
from wavezoo.tasks.language import Language
from wavezoo.tasks.reach import Reach
from wavezoo.tasks.regression import Regression, RelativeL2, relative_l2
from wavezoo.tasks.segmentation import Segmentation

__all__ = [
    "Classification",
    "Examples",
    "Language",
    "Reach",
    "Regression",
    "RelativeL2",
    "Segmentation",
    "Task",
    "relative_l2",
]
