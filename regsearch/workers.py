"""Where populations train: in this process, or in processes of this machine run by Dask, one a core or GPU.

Either way a pool is a `concurrent.futures` executor, and `train` is the one loop that feeds it. The driver
alone writes the ledger; a worker gets a job and gives records back.
"""

import logging
import signal
import traceback
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import dask
from distributed import Client, Nanny, Scheduler, SpecCluster, WorkerPlugin

from regsearch import backend, datasets, records
from regsearch.datasets import Images
from regsearch.grid import Population
from regsearch.interrupt import checkpoint
from regsearch.records import Record
from regsearch.sizing import Size
from regsearch.spec import Spec

POLL_SECONDS = 0.2

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Job:
    """A population to train, and how.

    Attributes:
        size: of its network.
        members: how many networks to compile for; the population may be smaller.
        engine: `population` or `reference`.
        device: `CPU` or `GPU`.
        lowering: forces how convolutions are computed.
        attempt: 2 for a second try.
    """

    population: Population
    size: Size
    members: int
    engine: str
    device: str
    lowering: str | None = None
    attempt: int = 1

    @property
    def threads(self) -> int:
        """Computing threads: on a CPU a population trains on one, wherever it trains, so that it rounds alike."""
        return 1 if self.engine == "population" and self.device == "CPU" else 0

    @property
    def work(self) -> int:
        """What orders jobs, the longest first."""
        return self.size.work * self.members * self.population.first.train_size


def work(spec: Spec, job: Job) -> list[Record]:
    """Trains one population, wherever this runs; the dataset is loaded once a process."""
    backend.start(job.threads, job.device)
    first = job.population.first
    split = datasets.split(_images(spec), spec.dataset, first.train_size, first.seed, first.network.width)
    if job.engine == "reference":
        from regsearch import reference

        return reference.train(job.population, split, spec.training)
    from regsearch import training

    return training.train(job.population, split, spec.training, job.size, job.members, job.device, job.lowering)


@lru_cache(maxsize=1)
def _images(spec: Spec) -> Images | None:
    return datasets.load(spec)


def train(spec: Spec, pool: Executor, ahead: int, jobs: Iterable[Job]) -> Iterator[list[Record]]:
    """Trains jobs and gives each one's records as it ends.

    A job that raises, or whose worker dies, is tried once more, in two halves where it has several members
    (so that one that ran out of memory may fit); what fails again is recorded as failed.

    Args:
        spec: the study.
        pool: where they run.
        ahead: how many are handed to the pool at a time.
        jobs: in the order they should start.
    """
    waiting, more = deque[Job](), iter(jobs)
    running: dict[Future[list[Record]], Job] = {}
    while True:
        checkpoint()
        while len(running) < ahead and (job := waiting.popleft() if waiting else next(more, None)):
            running[pool.submit(work, spec, job)] = job
        if not running:
            return
        done, _ = wait(running, timeout=POLL_SECONDS, return_when=FIRST_COMPLETED)
        for future in done:
            job = running.pop(future)
            try:
                found = future.result()
            except Exception as error:
                if job.attempt == 1:
                    log.warning(
                        "a population of %s failed (%s) and is tried again", job.population.first.network.name, error
                    )
                    waiting.extend(_again(job))
                    continue
                why = "".join(traceback.format_exception(error))
                found = [records.failed(cell, why) for cell in job.population.cells]
            yield [replace(record, attempt=job.attempt) for record in found]


def _again(job: Job) -> list[Job]:
    """The second try of a job: its halves, or itself."""
    cells = job.population.cells
    half = -(-len(cells) // 2)
    parts = [cells[:half], cells[half:]] if len(cells) > 1 else [cells]
    members = min(job.members, half) if len(cells) > 1 else job.members
    return [replace(job, population=Population(part), members=members, attempt=2) for part in parts]


class Inline(Executor):
    """Runs each task in this process when it is submitted."""

    def submit(self, task: Any, /, *arguments: Any, **named: Any) -> Future[Any]:
        """Runs the task; what it raises is the future's."""
        future: Future[Any] = Future()
        try:
            future.set_result(task(*arguments, **named))
        except Exception as error:
            future.set_exception(error)
        return future


@contextmanager
def pool(count: int, device: str, threads: int) -> Iterator[Executor]:
    """A pool of workers on this machine: this process itself, or `count` processes of their own.

    Args:
        count: 0 for this process; else one process each, with one GPU each where `device` is `GPU`.
        device: `CPU` or `GPU`.
        threads: computing threads of each; 0 leaves the number to TensorFlow.
    """
    if count == 0:
        yield Inline()
        return
    settings = {
        "distributed.scheduler.worker-saturation": 1.0,  # a dead worker loses one task, not a queue of them
        "distributed.scheduler.allowed-failures": 0,  # `train` tries again
        "distributed.scheduler.http.routes": [],
        "distributed.worker.http.routes": [],
        "distributed.nanny.pre-spawn-environ": {
            "OMP_NUM_THREADS": "1",
            "OPENBLAS_NUM_THREADS": "1",
            "DASK_LOGGING__DISTRIBUTED": "critical",
        },
    }
    gpus = backend.gpus() if device == "GPU" else []
    logging.getLogger("distributed").setLevel(logging.CRITICAL)
    with dask.config.set(settings):
        here = {"host": "127.0.0.1", "dashboard_address": None}
        workers = {}
        for number in range(count):
            env = {"CUDA_VISIBLE_DEVICES": gpus[number % len(gpus)]} if gpus else {}
            workers[number] = {"cls": Nanny, "options": {"nthreads": 1, "memory_limit": 0, "env": env, **here}}
        scheduler = {"cls": Scheduler, "options": {"port": 0, **here}}
        with (
            SpecCluster(workers=workers, scheduler=scheduler, silence_logs=logging.CRITICAL) as cluster,
            Client(cluster) as client,
            ThreadPoolExecutor(1) as meanwhile,  # workers import TensorFlow while the driver does
        ):
            meanwhile.submit(client.register_plugin, _Prepared(threads, device))
            yield client.get_executor(pure=False)


class _Prepared(WorkerPlugin):
    """Makes a worker, also one that replaces a dead one, ready for its first task."""

    name = "prepared"

    def __init__(self, threads: int, device: str) -> None:
        self.threads, self.device = threads, device

    def setup(self, worker: Any) -> None:
        """Leaves SIGINT to the driver, and imports TensorFlow."""
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        backend.start(self.threads, self.device)
