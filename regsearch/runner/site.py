"""Where a study is trained: this machine or a cluster, and the crew of workers that starts there when needed."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from functools import cached_property
from itertools import accumulate

from regsearch import data, engine
from regsearch.engine import Job
from regsearch.errors import DeviceError
from regsearch.ledger import Record
from regsearch.runner import dispatch, pool
from regsearch.runner.cluster import Connection
from regsearch.runner.settings import Settings
from regsearch.runner.signals import Signals
from regsearch.runner.workers import Workers
from regsearch.spec import Spec

WORKER_BYTES = 3 * 2**28
"""What a worker takes before it trains anything: TensorFlow, and its first compiled programs."""


class ThisMachine:
    """This process, or processes of its own, as a site; the other is `cluster.Connection`."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    @cached_property
    def device(self) -> str:
        """A GPU, where there is one and no CPU is asked for.

        Raises:
            DeviceError: a GPU was asked for, and the backend finds none.
        """
        if self.settings.device == "CPU":
            return "CPU"
        has_gpu = engine.has_gpu(self.settings.backend)
        if self.settings.device == "GPU" and not has_gpu:
            raise DeviceError(
                f"--device: expected a GPU that {self.settings.backend} can use, got none; is regsearch[gpu] there?"
            )
        return "GPU" if has_gpu else "CPU"

    def count_processes(self, jobs: Sequence[Job]) -> int:
        """One a core or GPU, or as many as the settings say, but no more than there are jobs.

        Nor more than there is memory for, if the largest jobs train at once, where the number is left to the machine.
        """
        most = self.settings.workers
        if most is None:
            most = len(engine.find_gpus()) if self.device == "GPU" else engine.count_cores()
            most = 1 if self.settings.engine == "reference" else most  # which computes with every core
            if self.device == "CPU":
                most = min(most, _count_fitting(jobs, engine.count_allowed_bytes()))
        return min(most, len(jobs))

    def open_pool(
        self, processes: int, threads: int, backend: str, raise_if_stopped: Callable[[], None]
    ) -> AbstractContextManager[Workers]:
        """See `pool.open_pool`."""
        return pool.open_pool(processes, self.device, threads, backend, raise_if_stopped, self.settings.ours)


def _count_fitting(jobs: Sequence[Job], memory: int) -> int:
    """How many of the largest jobs train at once in so many bytes; one always may."""
    each = sorted((WORKER_BYTES + job.networks * job.size.memory(job.device) for job in jobs), reverse=True)
    return max(1, sum(total <= memory for total in accumulate(each)))


Site = ThisMachine | Connection
"""Where a study is trained."""


@contextmanager
def open_site(settings: Settings) -> Iterator[Site]:
    """This machine, or the cluster, connected.

    Raises:
        ClusterError: it cannot be had.
    """
    if settings.cluster is None:
        yield ThisMachine(settings)
        return
    with settings.cluster.connect(settings.device, settings.backend) as connection:
        yield connection


class Crew(ExitStack):
    """The workers of one run, which start with its first job and end with the run.

    Attributes:
        processes: how many there are, or will be; 0 for this process.
    """

    def __init__(self, site: Site, signals: Signals) -> None:
        super().__init__()
        self.site, self.signals = site, signals
        self.processes = 0
        self._backend = "tensorflow"
        self._workers: Workers | None = None

    def expect(self, spec: Spec, jobs: Sequence[Job], missing: Sequence[Job]) -> None:
        """Decides how many processes there are to be for a round and the part of it that is missing."""
        if self._workers is None:
            grows = spec.grid.extend or spec.grid.refine  # later rounds may be larger than what is missing of this
            self.processes = self.site.count_processes(jobs if grows else missing) if missing else 0

    def start(self, jobs: Sequence[Job]) -> None:
        """Makes the workers ready for jobs, if there are any."""
        if not jobs or self._workers:
            return
        self._backend = jobs[0].backend
        if self.processes:
            data.forget()  # they hold the images; this process needs none
        self.enter_context(self.signals.deferred())
        opened = self.site.open_pool(self.processes, jobs[0].threads, self._backend, self.signals.raise_if_stopped)
        self._workers = self.enter_context(opened)
        self.processes = self._workers.processes

    def train(self, spec: Spec, jobs: Sequence[Job]) -> Iterator[list[Record]]:
        """Trains jobs and gives each one's records as it ends; see `dispatch.train`."""
        if self._workers:
            yield from dispatch.train(spec, self._workers, jobs, self.signals.raise_if_stopped)

    def facts(self) -> dict[str, str | int]:
        """What `study.json` says of a run."""
        return {
            "device": self.site.device,
            "workers": self.processes,
            "xla_flags": engine.list_xla_flags(self._backend),
        }
