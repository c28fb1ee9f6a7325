"""How long a training is, in updates of the weights."""

from dataclasses import dataclass

from wavezoo.config.recipe import Recipe


@dataclass(frozen=True)
class Budget:
    """The length of a training and of its parts.

    Attributes:
        batches: batches of an epoch in each process.
        accumulate: batches of an update.
        samples_per_batch: samples of a batch in all processes together.
        updates: updates of the whole training.
        evaluate_every: updates between two evaluations.
    """

    batches: int
    accumulate: int
    samples_per_batch: int
    updates: int
    evaluate_every: int

    @classmethod
    def of(cls, recipe: Recipe, batches: int, processes: int) -> "Budget":
        """Return what ``recipe`` asks for, with so many batches of an epoch in so many processes."""
        accumulate, samples = recipe.optimizer.accumulate, recipe.batch_size * processes
        per_epoch = -(-batches // accumulate)
        if recipe.epochs is not None:
            updates = recipe.epochs * per_epoch
        elif recipe.steps is not None:
            updates = recipe.steps
        else:
            updates = -(-(recipe.samples or 1) // (samples * accumulate))
        every = recipe.evaluation.every_steps or recipe.evaluation.every_epochs * per_epoch
        return cls(batches, accumulate, samples, updates, every)

    @property
    def updates_per_epoch(self) -> int:
        """Updates of an epoch, the last of which may be of fewer batches."""
        return -(-self.batches // self.accumulate)

    def done(self, epoch: int, batch: int) -> int:
        """Return the updates after whole epochs and some batches of the next."""
        return epoch * self.updates_per_epoch + -(-batch // self.accumulate)

    def samples(self, epoch: int, batch: int) -> int:
        """Return the samples seen after whole epochs and some batches of the next."""
        return (epoch * self.batches + batch) * self.samples_per_batch

    def epochs(self, updates: int) -> float:
        """Return how many epochs so many updates are, a whole number after whole ones."""
        whole, rest = divmod(updates, self.updates_per_epoch)
        return whole + rest / self.updates_per_epoch if rest else whole
