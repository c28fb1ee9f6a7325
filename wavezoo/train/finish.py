"""What a run leaves behind when its training is over."""

from wavezoo.data import Facts
from wavezoo.runs.folder import versions
from wavezoo.runs.plots import draw_curves
from wavezoo.runs.records import Summary
from wavezoo.tasks.base import shown_table
from wavezoo.train.evaluate import examples, forward
from wavezoo.train.loop import Trainer
from wavezoo.train.model import task_name

EXAMPLES = 4
# Rows of a table that still fit on a screen.
MOST_SHOWN = 20


def finish(trainer: Trainer, facts: Facts) -> Summary:
    """Test the last and the best weights, and write the summary and what the task writes.

    Raises:
        WavezooError: if something cannot be written.
        InterruptedTraining: after a signal, where there is one process; the rest can be done by resuming.
    """
    task, recipe, trained = trainer.task, trainer.recipe, trainer.trained
    progress, accelerator = trained.progress, trained.accelerator
    metric = trainer.tested()
    last = task.numbers(metric)
    # The same weights give the same numbers.
    best = last
    if progress.best_updates != progress.updates:
        best = task.numbers(trainer.tested(best=True))
    budget = trainer.budget
    summary = Summary(
        recipe=recipe.name,
        model=recipe.model.name,
        data=recipe.data.name,
        task=task_name(recipe),
        decides=task.decides,
        higher_is_better=task.higher_is_better,
        last=last,
        best=best,
        best_epoch=budget.epochs(progress.best_updates),
        best_updates=progress.best_updates,
        best_by=trainer.deciding_split,
        epochs=budget.epochs(progress.updates),
        updates=progress.updates,
        samples=budget.samples(progress.epoch, progress.batch),
        parameters=sum(each.numel() for each in trained.bare_model().parameters()),
        seconds=trainer.seconds(),
        device=str(accelerator.device),
        processes=accelerator.num_processes,
        seed=recipe.seed,
        versions=versions(),
        details=task.details(metric),
    )
    if accelerator.is_main_process:
        trainer.folder.require()
        outputs = forward(trained.bare_model().eval(), recipe, task, accelerator)
        samples = examples(task, outputs, trainer.loaders["test"], accelerator.device, EXAMPLES)
        missing = task.write(trainer.folder.path, metric, samples)
        missing += draw_curves(progress.metrics, task.decides, trainer.folder)
        for each in missing:
            trainer.console.print(f"no {each}", markup=False)
        trainer.folder.write_summary(summary)
    for table, values in summary.details.items():
        if len(values) <= MOST_SHOWN:
            trainer.console.print(shown_table(task, table, values), markup=False)
    return summary
