"""Training one job, wherever this runs: a population's data, its engine, its records."""

import socket
import threading
from collections.abc import Callable, Sequence

from regsearch import data, engine
from regsearch.data import Images
from regsearch.engine import Job
from regsearch.errors import DatasetError
from regsearch.ledger import Record
from regsearch.runner import faults
from regsearch.spec import Spec

_one_at_a_time = threading.Lock()


def train(spec: Spec, job: Job, raise_if_stopped: Callable[[], None] = lambda: None) -> Sequence[Record]:
    """Trains one job; one trains at a time in a process.

    Args:
        spec: the study.
        job: a population of it, and how to train it.
        raise_if_stopped: called often while it trains; what it raises ends the training.

    Raises:
        DatasetError: the dataset is not here, or not the one that the run was started with.
    """
    with _one_at_a_time:
        engine.start(job.threads, job.device, job.backend)
        images, groups = _load(spec, job.content), job.population.groups
        splits = [
            data.split(images, spec.dataset, first.train_size, first.seed, first.architecture.width)
            for first, *_ in groups
        ]
        try:
            records = engine.train(job, splits, spec.training, raise_if_stopped)
        except Exception as error:
            if faults.wants_memory(error):
                engine.forget()
            raise
        guessing = [split.guessing_loss for split, group in zip(splits, groups, strict=True) for _ in group]
        for record, loss in zip(records, guessing, strict=True):
            record.trial.guessing_loss = loss
        return records


def _load(spec: Spec, content: str) -> Images | None:
    """The dataset, which must be that of the driver also where this is another machine."""
    here = data.describe(spec).content if content else ""
    if here != content:
        raise DatasetError(
            f"dataset {spec.dataset.name} on {socket.gethostname()}: expected the data that the run was started with "
            f"({content}), got other data of that name or path ({here}). Every worker must see the same files."
        )
    return data.load(spec)
