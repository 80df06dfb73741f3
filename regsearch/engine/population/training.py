"""The population engine: trains many networks at once, one compiled call an epoch."""

import time
from collections.abc import Callable, Sequence
from typing import Any

from regsearch.data import Split
from regsearch.engine.job import Job
from regsearch.engine.population.trainer import MEASURES, History, Program, compiled
from regsearch.grid import Cell
from regsearch.ledger import Counts, Epoch, Record, record_completed, record_diverged
from regsearch.spec import Training


def train(
    job: Job, splits: Sequence[Split], training: Training, raise_if_stopped: Callable[[], None] = lambda: None
) -> list[Record]:
    """Trains a population, from its start or from its state between epochs, which is kept where the job says.

    Args:
        job: which networks, and how.
        splits: the data of each group of the population.
        training: optimizer, batch size, epochs.
        raise_if_stopped: called before each epoch; what it raises ends the training.

    Returns:
        One record a member, in order.
    """
    started = time.perf_counter()
    trainer = compiled.prepare(Program.of(job, splits[0], training))
    history = trainer.run(job.population, splits, training, job.checkpoint(), raise_if_stopped)
    seconds = (history.seconds_before + time.perf_counter() - started) / len(job.population.cells)
    labelled = splits[0].loss == "cross_entropy"
    return [
        _record(cell, history, member, trainer.counts, labelled, seconds)
        for member, cell in zip(history.members, job.population.cells, strict=True)
    ]


def _record(cell: Cell, history: History, member: int, counts: Counts, labelled: bool, seconds: float) -> Record:
    """One member's record; it diverged in the first epoch that is not all numbers."""
    epochs: list[Epoch] = []
    for number, measures in enumerate(history.epochs[: history.ended[member] + 1]):
        values: dict[str, Any] = {name: float(measures[name][member]) for name in MEASURES}
        if number == 0:
            values |= {"train_loss": None, "gradient_norm": None}
        if not labelled:
            values |= {"validation_accuracy": None}
        epoch = Epoch(cell.trial, number, **values)
        if not epoch.finite():
            return record_diverged(cell, counts, epochs, number, seconds)
        epochs.append(epoch)
    test = float(history.test["loss"][member]), float(history.test["accuracy"][member]) if labelled else None
    return record_completed(cell, counts, epochs, test, seconds, int(history.counted[member]))
