"""The workers of this machine: this process itself, or processes of their own run by Dask, one a core or GPU."""

import logging
import multiprocessing
import resource
import socket
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from multiprocessing import spawn
from pathlib import Path
from typing import Any, cast

from distributed import Client, Nanny, Scheduler, Security, SpecCluster

from regsearch import engine, surroundings
from regsearch.errors import ClusterError, DeviceError
from regsearch.runner.dask_settings import settings_of_ours
from regsearch.runner.faults import word_cause
from regsearch.runner.workers import Prepared, Workers, prepare, use_client, use_this_process

ABANDONED_SECONDS = 300.0
"""How long a run waits when all its workers are away: a dead one is replaced, which takes some seconds."""
WORKER = Path(__file__).with_name("worker_main.py")
MOST_FILES = 65_536

log = logging.getLogger(__name__)


class NoProcessesError(Exception):
    """Worker processes cannot start here, and why."""


@contextmanager
def open_pool(
    count: int, device: str, threads: int, backend: str, raise_if_stopped: Callable[[], None] = lambda: None,
    ours: bool = False,
) -> Iterator[Workers]:  # fmt: skip
    """A pool of workers on this machine: this process itself, or `count` processes of their own.

    Processes of their own start without the main module of this one, and leave its settings as they are.

    Args:
        count: 0 for this process; else one process each, with one GPU each where `device` is `GPU`.
        device: `CPU` or `GPU`.
        threads: computing threads of each; 0 leaves the number to the backend.
        backend: what computes.
        raise_if_stopped: called often while this process trains.
        ours: whether this process may train, and so change, where no other can start.

    Raises:
        DeviceError: no process of its own can start, and this one is not ours; or XLA_FLAGS would end any.
    """
    engine.check_xla_flags(backend)
    with ExitStack() as stack:
        if count:
            try:
                workers = stack.enter_context(_open_processes(count, device, threads, backend))
            except NoProcessesError as error:
                expected = f"workers: expected {count} processes of their own, got none that can start: {error}. "
                if not ours:
                    raise DeviceError(f"{expected}Mend that, or train in this process: workers=0") from None
                log.warning("%sThis process trains instead, alone", expected)
                count = 0
        if not count:
            engine.start(threads, device, backend)
            workers = use_this_process(raise_if_stopped)
        yield workers


@contextmanager
def _open_processes(count: int, device: str, threads: int, backend: str) -> Iterator[Workers]:
    """Processes of their own, one each.

    Raises:
        NoProcessesError: they cannot start.
    """
    with settings_of_ours(), _many_files(), _start_apart(), ExitStack() as stack:
        try:
            _look_for_obstacles()
            cluster = stack.enter_context(_make_cluster(count, device))
            client = stack.enter_context(Client(cluster, set_as_default=False))
        except Exception as error:  # Python, the system and Dask raise many kinds here
            raise NoProcessesError(_find_reason(error)) from error
        meanwhile = stack.enter_context(ThreadPoolExecutor(1))  # workers import the backend while the driver does
        meanwhile.submit(prepare, client, Prepared(threads, device, backend, ours=True))
        yield use_client(client, _Watch(cluster, 2 * count), count)


def _make_cluster(count: int, device: str) -> SpecCluster:
    """A scheduler and workers on this machine, which start when it is entered."""
    gpus = engine.find_gpus() if device == "GPU" else []
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
    return SpecCluster(workers=workers, scheduler=scheduler, security=security, silence_logs=logging.CRITICAL)


def _look_for_obstacles() -> None:
    """Tries what processes need to talk to each other: where it is not there Dask waits long and says little.

    Raises:
        OSError: it is not there.
    """
    try:
        multiprocessing.get_context("spawn").Lock()
    except OSError as error:
        raise OSError(f"shared memory, such as /dev/shm, cannot be used ({error.strerror})") from None
    with socket.socket() as listening, socket.socket() as calling:
        try:
            listening.bind(("127.0.0.1", 0))
            listening.listen()
            calling.settimeout(5.0)
            calling.connect(listening.getsockname())
        except OSError as error:
            raise OSError(f"this machine does not reach itself at 127.0.0.1 ({error.strerror or error})") from None


def _find_reason(error: Exception) -> str:
    """Why, in a line: what the system said, where that stands behind what Dask made of it."""
    reason, behind = word_cause(error), cast("BaseException | None", error)
    while behind is not None:
        if isinstance(behind, OSError) and behind.strerror:
            reason = behind.strerror
        behind = behind.__cause__ or (None if behind.__suppress_context__ else behind.__context__)
    return reason


class _Watch:
    """How many tasks to hand out ahead, as long as there are workers."""

    def __init__(self, cluster: SpecCluster, ahead: int) -> None:
        self.cluster, self.ahead = cluster, ahead
        self.seen = time.monotonic()

    def __call__(self) -> int:
        """The number.

        Raises:
            ClusterError: all workers have been away for long.
        """
        if self.cluster.scheduler.workers:
            self.seen = time.monotonic()
        elif time.monotonic() - self.seen > ABANDONED_SECONDS:
            raise ClusterError(
                f"workers: expected processes that train, got none for {ABANDONED_SECONDS / 60:.0f} minutes: they "
                "died and cannot be started again. Everything finished is kept; run the same command again to go on."
            )
        return self.ahead


@contextmanager
def _start_apart() -> Iterator[None]:
    """Inside, workers start with a main module of ours, and import nothing that lies in the current folder.

    Python's `spawn` imports the main module of this process in every new one, so a script without
    `if __name__ == "__main__"` would begin anew in each worker. Other processes that start meanwhile are left alone.
    """
    prepare_any = spawn.get_preparation_data

    def prepare_worker(name: str) -> dict[str, Any]:
        data: dict[str, Any] = prepare_any(name)
        if name.startswith("Dask Worker process"):  # as `distributed.nanny` calls them
            data = {key: value for key, value in data.items() if not key.startswith("init_main")}
            data |= {"init_main_from_path": str(WORKER), "sys_path": surroundings.list_path(data["sys_path"])}
        return data

    spawn.get_preparation_data = prepare_worker
    try:
        yield
    finally:
        spawn.get_preparation_data = prepare_any


@contextmanager
def _many_files() -> Iterator[None]:
    """Inside, this process may open as many files as it can be allowed: each worker takes about ten."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MOST_FILES if hard == resource.RLIM_INFINITY else min(hard, MOST_FILES)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    try:
        yield
    finally:
        with suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
