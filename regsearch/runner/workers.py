"""The workers of this machine: this process itself, or processes of their own run by Dask, one a core or GPU.

Either way a pool is a `concurrent.futures` executor. The driver alone writes the ledger; a worker gets a job and
gives records back.
"""

import logging
import signal
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import dask
from distributed import Client, Nanny, Scheduler, Security, SpecCluster, WorkerPlugin, get_worker
from distributed.worker import thread_state

from regsearch.engine import backend
from regsearch.runner import interrupt

QUIET = {
    "distributed.scheduler.worker-saturation": 1.0,  # a dead worker loses one task, not a queue of them
    "distributed.scheduler.allowed-failures": 0,  # `dispatch` tries again
    "distributed.scheduler.http.routes": [],
    "distributed.worker.http.routes": [],
    # Samples of themselves that nobody looks at; without them two workers on two cores are a tenth faster.
    "distributed.worker.profile.enabled": False,
    "distributed.admin.system-monitor.interval": "10s",
    "distributed.admin.tick.interval": "500ms",
}
"""What a scheduler and its workers need besides their defaults: nothing on HTTP, one task a worker, no sampling."""


@dataclass(frozen=True)
class Workers:
    """Workers that are ready to train.

    Attributes:
        executor: takes populations.
        count: how many there are; 0 for this process itself.
        ahead: how many populations to hand out at a time.
    """

    executor: Executor
    count: int
    ahead: Callable[[], int]


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
def pool(count: int, device: str, threads: int) -> Iterator[Workers]:
    """A pool of workers on this machine: this process itself, or `count` processes of their own.

    Args:
        count: 0 for this process; else one process each, with one GPU each where `device` is `GPU`.
        device: `CPU` or `GPU`.
        threads: computing threads of each; 0 leaves the number to TensorFlow.
    """
    if count == 0:
        yield Workers(Inline(), 0, lambda: 1)
        return
    settings = QUIET | {
        "distributed.nanny.pre-spawn-environ": {
            "OMP_NUM_THREADS": "1",
            "OPENBLAS_NUM_THREADS": "1",
            "DASK_LOGGING__DISTRIBUTED": "critical",
        },
    }
    gpus = backend.gpus() if device == "GPU" else []
    logging.getLogger("distributed").setLevel(logging.CRITICAL)
    with dask.config.set(settings):
        # A certificate of this run's own: other users of this machine reach the loopback address too.
        security = Security.temporary()
        here = {
            "host": "127.0.0.1",
            "protocol": "tls",
            "security": security,
            "dashboard_address": "127.0.0.1:0",  # Dask's own port is taken in a second run
        }
        workers = {}
        for number in range(count):
            env = {"CUDA_VISIBLE_DEVICES": gpus[number % len(gpus)]} if gpus else {}
            workers[number] = {"cls": Nanny, "options": {"nthreads": 1, "memory_limit": 0, "env": env, **here}}
        scheduler = {"cls": Scheduler, "options": {"port": 0, **here}}
        with (
            SpecCluster(
                workers=workers, scheduler=scheduler, security=security, silence_logs=logging.CRITICAL
            ) as cluster,
            Client(cluster) as client,
            ThreadPoolExecutor(1) as meanwhile,  # workers import TensorFlow while the driver does
        ):
            meanwhile.submit(prepare, client, Prepared(threads, device, ours=True))
            yield Workers(client.get_executor(pure=False), count, lambda: 2 * count)


def prepare(client: Client, plugin: WorkerPlugin) -> None:
    """Makes every worker ready, those that join later too, and lets their warnings be heard here."""
    client.forward_logging("regsearch", logging.WARNING)
    client.register_plugin(plugin)


class Prepared(WorkerPlugin):
    """Makes a worker, also one that replaces a dead one, ready for its first task."""

    def __init__(self, threads: int, device: str, ours: bool = False) -> None:
        """Takes the settings of `backend.start`, and whether the worker is one that we started."""
        self.threads, self.device, self.ours = threads, device, ours
        self.name = f"regsearch-{uuid.uuid4()}"  # another run may use the same workers

    def setup(self, worker: Any) -> None:
        """Leaves SIGINT to the driver that started it, imports TensorFlow, and lets training ask if it is wanted."""
        if self.ours:
            signal.signal(signal.SIGINT, signal.SIG_IGN)
        backend.start(self.threads, self.device)
        interrupt.ask_at_checkpoints(_unwanted)


def _unwanted() -> bool:
    """Whether nobody waits for the task that runs in this thread: its driver left, or the worker is closing.

    Dask cannot stop a task that runs; training asks between epochs.
    """
    key = getattr(thread_state, "key", None)
    if key is None:  # not in a task
        return False
    worker = get_worker()
    task = worker.state.tasks.get(key)
    return task is None or task.state == "cancelled" or worker.status.name in ("closing", "closed")
