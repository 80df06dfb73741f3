"""How and where a study is trained: the engine, the device, and whose workers."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import cached_property

from regsearch.engine import backend
from regsearch.errors import DeviceError
from regsearch.grid.cells import Cell, Network
from regsearch.grid.costs import Size
from regsearch.ledger import checkpoints as state
from regsearch.ledger.checkpoints import States
from regsearch.runner import workers
from regsearch.runner.cluster import Cluster
from regsearch.runner.jobs import Job, missing, planned
from regsearch.runner.shards import Shard
from regsearch.runner.workers import Workers
from regsearch.spec.study import Spec


@dataclass(frozen=True)
class Site:
    """Where a study is trained.

    Attributes:
        device: `CPU` or `GPU`.
        processes: how many workers train so many populations; 0 for this process.
        pool: makes so many workers ready, with so many computing threads each.
    """

    device: str
    processes: Callable[[int], int]
    pool: Callable[[int, int], AbstractContextManager[Workers]]


@dataclass(frozen=True)
class How:
    """How a study is trained; of these only the engine, device and lowering can change a number.

    Attributes:
        engine: `population`, or `reference` for one network at a time by plain Keras.
        workers: processes; 0 for this one, None for one a core or GPU.
        device: `CPU`, `GPU`, or None for a GPU where there is one.
        lowering: forces how convolutions are computed.
        save_seconds: the least time between two writes of the state of a population in training.
        cluster: trains there instead of on this machine.
        shard: the part of the grid to train; None for all of it.
    """

    engine: str = "population"
    workers: int | None = 0
    device: str | None = None
    lowering: str | None = None
    save_seconds: float = state.SECONDS
    cluster: Cluster | None = None
    shard: Shard | None = None

    @cached_property
    def kind(self) -> str:
        """The kind of device of this machine.

        Raises:
            DeviceError: a GPU was asked for, and TensorFlow finds none.
        """
        if self.device == "CPU":
            return "CPU"
        found = backend.has_gpu()
        if self.device == "GPU" and not found:
            raise DeviceError("--device: expected a GPU that TensorFlow can use, got none; is regsearch[gpu] there?")
        return "GPU" if found else "CPU"

    @property
    def threads(self) -> int:
        """Computing threads of a process of this machine that trains, as `Job.threads`."""
        return 1 if self.engine == "population" and self.kind == "CPU" else 0

    def processes(self, jobs: int) -> int:
        """How many worker processes of this machine train `jobs` populations; 0 for this one."""
        if self.workers is None:
            found = len(backend.gpus()) if self.kind == "GPU" else backend.cores()
            return 0 if min(found, jobs) < 2 or self.engine == "reference" else min(found, jobs)
        return min(self.workers, jobs)

    @contextmanager
    def site(self) -> Iterator[Site]:
        """This machine, or the cluster, connected.

        Raises:
            DeviceError, ClusterError: it cannot be had.
        """
        if self.cluster is None:
            kind = self.kind
            yield Site(kind, self.processes, lambda count, threads: workers.pool(count, kind, threads))
            return
        with self.cluster.connected() as connection:
            device = connection.device(self.device)
            yield Site(device, lambda _: connection.count(), lambda _, threads: connection.pool(device, threads))

    def jobs(
        self,
        cells: Sequence[Cell],
        sizes: dict[Network, Size],
        spec: Spec,
        device: str,
        content: str = "",
        states: States | None = None,
    ) -> list[Job]:
        """The populations of cells that are this run's to train, finished ones too.

        A shard's share is cut where a CPU's populations end, whatever trains it, so that shards on machines of
        different kinds still make the whole.
        """
        found = planned(cells, sizes, spec, self.engine, device, content, self.lowering, states)
        if self.shard is None:
            return found
        everywhere = planned(cells, sizes, spec, self.engine, "CPU")
        own = {cell.trial for job in self.shard.share(everywhere, spec) for cell in job.population.cells}
        return missing(found, {cell.trial for cell in cells} - own)
