"""The one loop that feeds workers, wherever they are: jobs out, records in, failures tried again."""

import logging
import traceback
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, CancelledError, Future, wait
from dataclasses import replace

from regsearch.engine import Job
from regsearch.errors import ClusterError, RegsearchError
from regsearch.grid import Population
from regsearch.ledger import Record, record_failed
from regsearch.runner import faults, work
from regsearch.runner.workers import Workers
from regsearch.spec import Spec

POLL_SECONDS = 0.2

log = logging.getLogger(__name__)


def train(
    spec: Spec, workers: Workers, todo: Sequence[Job], raise_if_stopped: Callable[[], None]
) -> Iterator[list[Record]]:
    """Trains jobs and gives each one's records as it ends.

    A job that raises, or whose worker dies, is tried again: in two halves where it has several members, and on
    down to one where memory ran out; without XLA where TensorFlow failed under it; as it is where a worker was
    lost, so that its numbers stay the same. What fails again is recorded as failed.

    Args:
        spec: the study.
        workers: who trains them.
        todo: in the order they should start.
        raise_if_stopped: called several times a second.

    Raises:
        RegsearchError: what a worker found that the user must mend, such as a dataset that is not there.
        ClusterError: the scheduler was lost.
    """
    waiting, retries = deque(todo), deque[Job]()  # what failed is tried again first
    running: dict[Future[Sequence[Record]], Job] = {}
    while True:
        raise_if_stopped()
        while (retries or waiting) and len(running) < workers.ahead():
            job = (retries or waiting).popleft()
            running[workers.submit(work.train, spec, job)] = job
        if not running:
            return
        done, _ = wait(running, timeout=POLL_SECONDS, return_when=FIRST_COMPLETED)
        for future in sorted(done, key=Future.cancelled):  # what finished is kept first
            job = running.pop(future)
            try:
                records: Sequence[Record] = future.result()
            except RegsearchError:
                raise
            except CancelledError:
                raise_if_stopped()
                raise ClusterError(
                    "the scheduler was lost while populations were in training. Everything finished is kept: when "
                    "there is a scheduler again, run the same command to go on."
                ) from None
            except Exception as error:
                raise_if_stopped()  # a signal to all processes ends the workers too: that is no failure
                reason = "".join(traceback.format_exception(error))
                traceback.clear_frames(error.__traceback__)  # they hold the arrays that did not fit
                if parts := _again(job, error):
                    name, first_line = job.population.first.architecture.name, str(error).partition("\n")[0]
                    log.warning("a population of %s failed (%s) and is tried again", name, first_line or repr(error))
                    retries.extend(parts)
                    continue
                records = [record_failed(cell, reason) for cell in job.population.cells]
            yield [replace(record, attempt=job.attempt, compiled=job.compiled) for record in records]


def _again(job: Job, error: Exception) -> list[Job]:
    """What to try next after a failure: the same without XLA, halves, itself, or nothing more."""
    again = replace(job, attempt=job.attempt + 1)
    if job.attempt == 1 and faults.lost_a_worker(error):
        return [again]
    if job.compiled and job.engine == "population" and faults.may_be_compilers(error):
        return [replace(again, compiled=False)]
    cells = job.population.cells
    if len(cells) > 1 and (job.attempt == 1 or faults.wants_memory(error)):
        half = -(-len(cells) // 2)
        return _shrink(again, Population(cells[:half]), Population(cells[half:]))
    if job.networks > 1 and faults.wants_memory(error):
        return _shrink(again, job.population)
    return [again] if job.attempt == 1 else []


def _shrink(job: Job, *parts: Population) -> list[Job]:
    """Jobs of parts of a population, compiled for no more than the largest."""
    groups = max(len(part.groups) for part in parts)
    members = max(len(group) for part in parts for group in part.groups)
    return [replace(job, population=part, members=members, groups=groups) for part in parts]
