"""What training needs of workers, wherever they are: tasks in, results out, made ready and ended in order.

The driver alone writes the ledger; a worker gets a job and gives records back.
"""

import logging
import signal
import uuid
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

from distributed import Client, WorkerPlugin, get_worker
from distributed.worker import thread_state

from regsearch import engine


@dataclass(frozen=True)
class Workers:
    """Workers that are ready to train.

    Attributes:
        submit: hands out a task and its arguments, to which whoever runs it adds a function, called often, that
            raises what ends it early.
        ahead: how many tasks to hand out at a time; asked each time, as workers may come and go. It raises
            `ClusterError` when all are gone for long.
        processes: how many processes of their own they are, where that is settled; 0 for this one.
    """

    submit: Callable[..., Future[Any]]
    ahead: Callable[[], int]
    processes: int = 0


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


def use_client(client: Client, ahead: Callable[[], int], processes: int) -> Workers:
    """The workers of a Dask client."""
    executor = client.get_executor(pure=False)
    return Workers(lambda task, *arguments: executor.submit(_run_if_wanted, task, *arguments), ahead, processes)


def _run_if_wanted(task: Callable[..., Any], *arguments: Any) -> Any:
    """Runs a task in a worker, until nobody waits for it any more: no signal reaches work elsewhere."""
    return task(*arguments, _raise_if_unwanted)


def prepare(client: Client, plugin: WorkerPlugin) -> None:
    """Makes every worker ready, those that join later too, and lets their warnings be heard here."""
    client.forward_logging("regsearch", logging.WARNING)
    client.register_plugin(plugin)


class Prepared(WorkerPlugin):
    """Makes a worker, also one that replaces a dead one, ready for its first task."""

    def __init__(self, threads: int, device: str, backend: str, ours: bool = False) -> None:
        """Takes the settings of `engine.start`, and whether the worker is one that we started."""
        self.threads, self.device, self.backend, self.ours = threads, device, backend, ours
        self.name = f"regsearch-{uuid.uuid4()}"  # another run may use the same workers

    def setup(self, worker: Any) -> None:
        """Leaves SIGINT to the driver that started it, and imports the backend."""
        if self.ours:
            signal.signal(signal.SIGINT, signal.SIG_IGN)
        engine.start(self.threads, self.device, self.backend)


def _raise_if_unwanted() -> None:
    """Raises `UnwantedError` in a task that nobody waits for: its driver left, or the worker is closing.

    Dask cannot stop a task that runs; training asks between epochs.
    """
    worker = get_worker()
    task = worker.state.tasks.get(thread_state.key)
    if task is None or task.state == "cancelled" or worker.status.name in ("closing", "closed"):
        raise UnwantedError
