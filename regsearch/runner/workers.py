"""The workers of this machine: this process itself, or processes of their own run by Dask, one a core or GPU.

The driver alone writes the ledger; a worker gets a job and gives records back.
"""

import logging
import os
import signal
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import spawn
from typing import Any

import dask
from distributed import Client, Nanny, Scheduler, Security, SpecCluster, WorkerPlugin, get_worker
from distributed.worker import thread_state

from regsearch import engine

QUIET = {
    "distributed.worker.multiprocessing-method": "spawn",  # whatever a user's Dask does
    # A nanny replaces its dead worker itself. Dask would close one whose worker is away this long after a death, also
    # if that is because it died again and is being replaced: then nobody would train, and the run never end.
    "distributed.deploy.lost-worker-timeout": "1000 days",
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
        submit: hands out a task and its arguments, to which whoever runs it adds a function, called often, that
            raises what ends it early.
        ahead: how many tasks to hand out at a time; asked each time, as workers may come and go.
    """

    submit: Callable[..., Future[Any]]
    ahead: Callable[[], int]


class UnwantedError(Exception):
    """Nobody waits any more for what is in training here."""


def use_this_process(raise_if_stopped: Callable[[], None]) -> Workers:
    """This process itself: it runs each task when it is submitted."""

    def submit(task: Callable[..., Any], *arguments: Any) -> Future[Any]:
        future: Future[Any] = Future()
        try:
            future.set_result(task(*arguments, raise_if_stopped))
        except Exception as error:
            future.set_exception(error)
        return future

    return Workers(submit, lambda: 1)


def use_client(client: Client, ahead: Callable[[], int]) -> Workers:
    """The workers of a Dask client."""
    executor = client.get_executor(pure=False)
    return Workers(lambda task, *arguments: executor.submit(_run_if_wanted, task, *arguments), ahead)


def _run_if_wanted(task: Callable[..., Any], *arguments: Any) -> Any:
    """Runs a task in a worker, until nobody waits for it any more: no signal reaches work elsewhere."""
    return task(*arguments, _raise_if_unwanted)


def silence_dask() -> dict[logging.Logger, int]:
    """Dask says nothing from now on, not even of workers that die: we do. Gives the levels that its loggers had."""
    loggers = [logging.getLogger(name) for name in ("distributed", "distributed.client")]
    levels = {logger: logger.level for logger in loggers}
    for logger in loggers:
        logger.setLevel(logging.CRITICAL)
    return levels


@contextmanager
def _keep_dask_silent() -> Iterator[None]:
    """Inside, Dask says nothing."""
    levels = silence_dask()
    try:
        yield
    finally:
        for logger, level in levels.items():
            logger.setLevel(level)


@contextmanager
def _keep_environment() -> Iterator[None]:
    """Takes back what Dask sets in this process's environment for the workers that it is about to start."""
    before = dict(os.environ)
    try:
        yield
    finally:
        for name in os.environ.keys() - before.keys():
            del os.environ[name]
        os.environ.update(before)


@contextmanager
def _start_without_main() -> Iterator[None]:
    """Inside, workers start without importing the main module of this process.

    Python's `spawn` imports it in every new process, so a script without `if __name__ == "__main__"` would begin
    anew in each worker. Workers need nothing of it. Other processes that start meanwhile are left alone.
    """
    prepare = spawn.get_preparation_data

    def prepare_worker(name: str) -> dict[str, Any]:
        data: dict[str, Any] = prepare(name)
        if name.startswith("Dask Worker process"):  # as `distributed.nanny` calls them
            data = {key: value for key, value in data.items() if not key.startswith("init_main")}
        return data

    spawn.get_preparation_data = prepare_worker
    try:
        yield
    finally:
        spawn.get_preparation_data = prepare


@contextmanager
def open_pool(
    count: int, device: str, threads: int, raise_if_stopped: Callable[[], None] = lambda: None
) -> Iterator[Workers]:
    """A pool of workers on this machine: this process itself, or `count` processes of their own.

    Processes of their own start without the main module of this one, and leave its settings as they are.

    Args:
        count: 0 for this process; else one process each, with one GPU each where `device` is `GPU`.
        device: `CPU` or `GPU`.
        threads: computing threads of each; 0 leaves the number to TensorFlow.
        raise_if_stopped: called often while this process trains.
    """
    if count == 0:
        engine.start(threads, device)
        yield use_this_process(raise_if_stopped)
        return
    settings = QUIET | {
        "distributed.nanny.pre-spawn-environ": {
            "OMP_NUM_THREADS": "1",
            "OPENBLAS_NUM_THREADS": "1",
            "DASK_LOGGING__DISTRIBUTED": "critical",
        }
    }
    gpus = engine.find_gpus() if device == "GPU" else []
    with dask.config.set(settings), _keep_dask_silent(), _keep_environment(), _start_without_main():
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
            Client(cluster, set_as_default=False) as client,
            ThreadPoolExecutor(1) as meanwhile,  # workers import TensorFlow while the driver does
        ):
            meanwhile.submit(prepare, client, Prepared(threads, device, ours=True))
            yield use_client(client, lambda: 2 * count)


def prepare(client: Client, plugin: WorkerPlugin) -> None:
    """Makes every worker ready, those that join later too, and lets their warnings be heard here."""
    client.forward_logging("regsearch", logging.WARNING)
    client.register_plugin(plugin)


class Prepared(WorkerPlugin):
    """Makes a worker, also one that replaces a dead one, ready for its first task."""

    def __init__(self, threads: int, device: str, ours: bool = False) -> None:
        """Takes the settings of `engine.start`, and whether the worker is one that we started."""
        self.threads, self.device, self.ours = threads, device, ours
        self.name = f"regsearch-{uuid.uuid4()}"  # another run may use the same workers

    def setup(self, worker: Any) -> None:
        """Leaves SIGINT to the driver that started it, and imports TensorFlow."""
        if self.ours:
            signal.signal(signal.SIGINT, signal.SIG_IGN)
        engine.start(self.threads, self.device)


def _raise_if_unwanted() -> None:
    """Raises `UnwantedError` in a task that nobody waits for: its driver left, or the worker is closing.

    Dask cannot stop a task that runs; training asks between epochs.
    """
    worker = get_worker()
    task = worker.state.tasks.get(thread_state.key)
    if task is None or task.state == "cancelled" or worker.status.name in ("closing", "closed"):
        raise UnwantedError
