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

from regsearch import backend, datasets, faults, records
from regsearch.datasets import Images
from regsearch.grid import Population
from regsearch.interrupt import checkpoint
from regsearch.records import Record
from regsearch.sizing import Size
from regsearch.spec import Spec
from regsearch.state import StateFile, States

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
        compiled: whether XLA compiles it.
        states: where the state of populations in training is kept; None keeps none.
        attempt: 2 for a second try, and so on.
    """

    population: Population
    size: Size
    members: int
    engine: str
    device: str
    lowering: str | None = None
    compiled: bool = True
    states: States | None = None
    attempt: int = 1

    @property
    def threads(self) -> int:
        """Computing threads: on a CPU a population trains on one, wherever it trains, so that it rounds alike."""
        return 1 if self.engine == "population" and self.device == "CPU" else 0

    def state(self, how: dict[str, Any]) -> StateFile | None:
        """Where its state is kept; `how` is what its numbers follow from besides its trials."""
        return self.states.of((cell.trial for cell in self.population.cells), **how) if self.states else None

    @property
    def work(self) -> int:
        """What orders jobs, the longest first."""
        return self.size.work * self.members * self.population.first.train_size


def work(spec: Spec, job: Job) -> list[Record]:
    """Trains one population, wherever this runs; the dataset is loaded once a process."""
    backend.start(job.threads, job.device)
    first = job.population.first
    split = datasets.split(_images(spec), spec.dataset, first.train_size, first.seed, first.network.width)
    how: dict[str, Any] = {"engine": job.engine, "device": job.device}
    if job.engine == "reference":
        from regsearch import reference

        return reference.train(job.population, split, spec.training, job.state(how))
    from regsearch import training

    how |= {"members": job.members, "lowering": job.lowering, "compiled": job.compiled}
    try:
        return training.train(
            job.population, split, spec.training, job.size, job.members, job.device, job.lowering, job.compiled,
            job.state(how),
        )  # fmt: skip
    except Exception as error:
        if faults.wants_memory(error):
            training.forget()
        raise


@lru_cache(maxsize=1)
def _images(spec: Spec) -> Images | None:
    return datasets.load(spec)


def train(spec: Spec, pool: Executor, ahead: int, jobs: Iterable[Job]) -> Iterator[list[Record]]:
    """Trains jobs and gives each one's records as it ends.

    A job that raises, or whose worker dies, is tried again: in two halves where it has several members, and on
    down to one where memory ran out; without XLA where TensorFlow failed under it. What fails again is recorded
    as failed.

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
                checkpoint()  # a signal to all processes ends the workers too: that is no failure
                why = "".join(traceback.format_exception(error))
                traceback.clear_frames(error.__traceback__)  # they hold the arrays that did not fit
                if parts := _again(job, error):
                    name, reason = job.population.first.network.name, str(error).partition("\n")[0]
                    log.warning("a population of %s failed (%s) and is tried again", name, reason or repr(error))
                    waiting.extend(parts)
                    continue
                found = [records.failed(cell, why) for cell in job.population.cells]
            yield [replace(record, attempt=job.attempt, compiled=job.compiled) for record in found]


def _again(job: Job, error: Exception) -> list[Job]:
    """What to try next after a failure: the same without XLA, halves, itself, or nothing more."""
    again = replace(job, attempt=job.attempt + 1)
    if job.compiled and job.engine == "population" and faults.may_be_compilers(error):
        return [replace(again, compiled=False)]
    cells = job.population.cells
    if len(cells) > 1 and (job.attempt == 1 or faults.wants_memory(error)):
        half = -(-len(cells) // 2)
        parts = Population(cells[:half]), Population(cells[half:])
        return [replace(again, population=part, members=min(job.members, half)) for part in parts]
    if job.members > 1 and faults.wants_memory(error):
        return [replace(again, members=1)]
    return [again] if job.attempt == 1 else []


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
        here = {"host": "127.0.0.1", "dashboard_address": "127.0.0.1:0"}  # Dask's own port is taken in a second run
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
            meanwhile.submit(_prepare, client, _Prepared(threads, device))
            yield client.get_executor(pure=False)


def _prepare(client: Client, plugin: WorkerPlugin) -> None:
    client.forward_logging("regsearch", logging.WARNING)
    client.register_plugin(plugin)


class _Prepared(WorkerPlugin):
    """Makes a worker, also one that replaces a dead one, ready for its first task."""

    name = "prepared"

    def __init__(self, threads: int, device: str) -> None:
        self.threads, self.device = threads, device

    def setup(self, worker: Any) -> None:
        """Leaves SIGINT to the driver, and imports TensorFlow."""
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        backend.start(self.threads, self.device)
