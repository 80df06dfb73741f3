"""Where a study is trained: this machine or a cluster, its kind of device, and workers that start when needed."""

from abc import abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from functools import cached_property

from regsearch import engine
from regsearch.engine import Job
from regsearch.errors import DeviceError
from regsearch.ledger import Record
from regsearch.runner import dispatch, workers
from regsearch.runner.cluster import Connection
from regsearch.runner.settings import Settings
from regsearch.runner.signals import Signals
from regsearch.runner.workers import Workers
from regsearch.spec import Spec


class Site:
    """Where a study is trained.

    Attributes:
        settings: how and where it was asked for.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    @property
    @abstractmethod
    def device(self) -> str:
        """The kind of device, `CPU` or `GPU`."""

    @property
    @abstractmethod
    def threads(self) -> int:
        """Computing threads of this process, where it reads images."""

    @abstractmethod
    def count_processes(self, jobs: int) -> int:
        """How many workers train so many jobs; 0 for this process."""

    @abstractmethod
    def open_pool(
        self, processes: int, threads: int, raise_if_stopped: Callable[[], None]
    ) -> AbstractContextManager[Workers]:
        """Makes so many workers ready, with so many computing threads each."""


class ThisMachine(Site):
    """This process, or processes of its own."""

    @cached_property
    def device(self) -> str:
        """The kind of device of this machine.

        Raises:
            DeviceError: a GPU was asked for, and TensorFlow finds none.
        """
        if self.settings.device == "CPU":
            return "CPU"
        has_gpu = engine.has_gpu()
        if self.settings.device == "GPU" and not has_gpu:
            raise DeviceError("--device: expected a GPU that TensorFlow can use, got none; is regsearch[gpu] there?")
        return "GPU" if has_gpu else "CPU"

    @property
    def threads(self) -> int:
        """As `Job.threads`: this process may train, too."""
        return 1 if self.settings.engine == "population" and self.device == "CPU" else 0

    def count_processes(self, jobs: int) -> int:
        """One a job, core or GPU, unless the settings say how many."""
        if self.settings.workers is not None:
            return min(self.settings.workers, jobs)
        most = min(len(engine.find_gpus()) if self.device == "GPU" else engine.count_cores(), jobs)
        return 0 if most < 2 or self.settings.engine == "reference" else most

    def open_pool(
        self, processes: int, threads: int, raise_if_stopped: Callable[[], None]
    ) -> AbstractContextManager[Workers]:
        """See `workers.pool`."""
        return workers.pool(processes, self.device, threads, raise_if_stopped)


class ACluster(Site):
    """The workers of a Dask scheduler, which is connected."""

    def __init__(self, settings: Settings, connection: Connection) -> None:
        """Finds the kind of device of the workers.

        Raises:
            ClusterError: they have different kinds, or not the one that was asked for.
        """
        super().__init__(settings)
        self.connection = connection
        self._device = connection.device(settings.device)

    @property
    def device(self) -> str:
        """The kind of device of every worker."""
        return self._device

    @property
    def threads(self) -> int:
        """One: this process trains nothing."""
        return 1

    def count_processes(self, jobs: int) -> int:  # noqa: ARG002 - whatever there is to do, these are the workers
        """How many workers there are now."""
        return self.connection.count()

    def open_pool(
        self,
        processes: int,  # noqa: ARG002 - workers come and go
        threads: int,
        raise_if_stopped: Callable[[], None],  # noqa: ARG002 - no signal reaches work elsewhere
    ) -> AbstractContextManager[Workers]:
        """See `Connection.pool`."""
        return self.connection.pool(self.device, threads)


@contextmanager
def open_site(settings: Settings) -> Iterator[Site]:
    """This machine, or the cluster, connected.

    Raises:
        DeviceError, ClusterError: it cannot be had.
    """
    if settings.cluster is None:
        yield ThisMachine(settings)
        return
    with settings.cluster.connected() as connection:
        yield ACluster(settings, connection)


class Crew:
    """The workers of one run, started with its first job and ended with the run."""

    def __init__(self, site: Site, signals: Signals) -> None:
        self.site, self.signals = site, signals
        self.processes = 0
        self._workers: Workers | None = None
        self._stack = ExitStack()

    def __enter__(self) -> "Crew":
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.close() if error[0] is None else self._stack.__exit__(*error)  # type: ignore[arg-type]

    def plan(self, jobs: Sequence[Job]) -> None:
        """Decides how many processes there are to be for jobs, unless they are started already."""
        if self._workers is None:
            self.processes = self.site.count_processes(len(jobs)) if jobs else 0

    def train(self, spec: Spec, jobs: Sequence[Job]) -> Iterator[list[Record]]:
        """Trains jobs and gives each one's records as it ends; see `dispatch.train`."""
        if jobs:
            yield from dispatch.train(spec, self._start(jobs[0]), jobs, self.signals.raise_if_stopped)

    def _start(self, job: Job) -> Workers:
        """The workers, ready for this job and others like it, with TensorFlow imported here too."""
        if self._workers is None:
            self._stack.enter_context(self.signals.deferred())
            pool = self.site.open_pool(self.processes, job.threads, self.signals.raise_if_stopped)
            self._workers = self._stack.enter_context(pool)
            engine.start(job.threads, self.site.device)
        return self._workers

    def facts(self) -> dict[str, str | int]:
        """What `study.json` says of a run."""
        return {"device": self.site.device, "workers": self.processes}
