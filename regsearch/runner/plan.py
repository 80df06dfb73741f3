"""What a run will do: how much there is to train, what the ledger has, how long it will take and in what memory."""

import heapq
from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path

import numpy as np
import pandas as pd

from regsearch import data as datasets
from regsearch.data import Shape
from regsearch.grid import cells as grid
from regsearch.grid import costs as sizing
from regsearch.grid import rounds as growth
from regsearch.grid.cells import Network
from regsearch.grid.costs import KEPT_COMPILED, Size
from regsearch.ledger import folder, ledger
from regsearch.ledger.records import Trial, columns
from regsearch.runner import timing
from regsearch.runner.jobs import Job, missing
from regsearch.runner.settings import How
from regsearch.runner.timing import Timings
from regsearch.spec.study import Spec


@dataclass(frozen=True)
class Cost:
    """What one population costs a worker, in seconds.

    Attributes:
        compile: of its network, paid by each worker that does not have it compiled already.
        train: of the population itself.
    """

    compile: float
    train: float


@dataclass(frozen=True)
class Seconds:
    """How long a run takes.

    Attributes:
        overhead: starting, closing and all that is neither of the following.
        compile: compiling, added up over the workers.
        train: training, added up over the workers.
        total: the whole run; less than the sum where several workers share it.
    """

    overhead: float
    compile: float
    train: float
    total: float


@dataclass(frozen=True)
class Row:
    """One network's part of the plan.

    Attributes:
        populations: those left to train.
        members: how many networks train together.
        memory: bytes that they take in a worker.
        seconds: of one worker to train what is left, compiling left out; None where nothing was measured.
    """

    network: Network
    size: Size
    trials: int
    finished: int
    populations: int
    members: int
    memory: int
    seconds: float | None


@dataclass(frozen=True)
class Plan:
    """What a run will do.

    Attributes:
        workers: processes that train; 0 for the command's own.
        memory: bytes that each takes at most; None where nothing was measured, as `seconds`.
    """

    rows: tuple[Row, ...]
    workers: int
    device: str
    memory: int | None
    seconds: Seconds | None

    @property
    def trials(self) -> int:
        """The networks of the grid."""
        return sum(row.trials for row in self.rows)

    @property
    def finished(self) -> int:
        """Those that the ledger has."""
        return sum(row.finished for row in self.rows)

    @property
    def populations(self) -> int:
        """The populations left to train."""
        return sum(row.populations for row in self.rows)


def make(spec: Spec, results: Path, how: How, started: float) -> Plan:
    """Plans a run; trains only a few sample populations, for some seconds, and writes nothing.

    Of a grid that grows, it knows the rounds that follow from what is finished.

    Args:
        spec: the study.
        results: the folder whose ledger says what is finished; it need not be there.
        how: how the run would train.
        started: when the command started, by `time.perf_counter`.

    Raises:
        SpecError, DeviceError, DatasetError, ResultsError: as `run` would.
    """
    shape = datasets.shape(spec)
    sizes = sizing.measure(spec, shape)
    trials = _trials(spec, results, shape)
    finished = set(trials.loc[trials["status"] != "failed", "trial"])
    rounds = list(growth.rounds(spec, how.engine, shape.content, lambda: trials))
    jobs = [job for cells in rounds for job in missing(how.jobs(cells, sizes, spec, how.kind), finished)]
    processes = how.processes(len(jobs))
    measured = timing.measure(spec, shape, jobs, processes, started) if jobs else None
    costs = [cost(job, spec, measured) for job in jobs] if measured else []
    rows = []
    for network, size in sizes.items():
        own = [cell for cells in rounds for cell in cells if cell.network == network]
        # The grid's full populations say how many train together, also where only a few are left.
        first = [cell for cell in rounds[0] if cell.network == network]
        members = how.jobs(first, {network: size}, spec, how.kind)[0].members
        at = [index for index, job in enumerate(jobs) if job.population.first.network == network]
        rows.append(
            Row(
                network=network,
                size=size,
                trials=len(own),
                finished=sum(cell.trial in finished for cell in own),
                populations=len(at),
                members=members,
                memory=members * size.memory,
                seconds=sum(costs[index].train for index in at) if measured else None,
            )
        )
    return Plan(
        rows=tuple(rows),
        workers=processes,
        device=how.kind,
        memory=measured.memory + data_memory(spec, shape) if measured else None,
        seconds=schedule(jobs, costs, processes, measured.overhead) if measured else None,
    )


def cost(job: Job, spec: Spec, measured: Timings) -> Cost:
    """The cost of a job, between those measured, on a straight line over the work of one image.

    A population takes `start` + epochs × images × `image`; training images count as three.
    """
    work = job.size.work * job.members
    works = [network.work for network in measured.networks]

    def at(seconds: Sequence[float]) -> float:
        return float(np.interp(work, works, seconds))

    steps = spec.training.steps(job.population.first.train_size)
    images = timing.images(steps, spec.training.batch_size, spec.dataset.validation)
    image = at([network.image for network in measured.networks])
    start = at([network.start for network in measured.networks])
    compiling = at([network.compile for network in measured.networks])
    return Cost(compiling, start + spec.training.epochs * images * image)


def schedule(jobs: Sequence[Job], costs: Sequence[Cost], processes: int, overhead: float) -> Seconds:
    """How long the jobs take: each goes to the worker that is free first, which keeps the last networks compiled.

    Args:
        jobs: in the order in which they are handed out.
        costs: of each.
        processes: worker processes; 0 counts as one.
        overhead: what a run takes besides.
    """
    free = [(0.0, worker) for worker in range(max(1, processes))]
    compiled: list[list[tuple[Network, int]]] = [[] for _ in free]
    compiling = 0.0
    for job, one in zip(jobs, costs, strict=True):
        at, worker = heapq.heappop(free)
        first = job.population.first
        what = (first.network, first.train_size)
        if what not in compiled[worker]:
            compiling += one.compile
            at += one.compile
        networks = dict.fromkeys([first.network, *(network for network, _ in compiled[worker])])
        kept = list(networks)[:KEPT_COMPILED]
        compiled[worker] = [what, *(had for had in compiled[worker] if had != what and had[0] in kept)]
        heapq.heappush(free, (at + one.train, worker))
    return Seconds(overhead, compiling, sum(one.train for one in costs), overhead + max(at for at, _ in free))


def data_memory(spec: Spec, shape: Shape) -> int:
    """Bytes of the images a worker holds: the whole dataset, where it is not drawn, and one seed's part of it."""
    part = max(spec.train_sizes()) + spec.dataset.validation + spec.dataset.test
    whole = 0 if shape.widening else shape.pool + shape.test
    largest = max(prod(shape.at(network.width).image) for network in grid.networks(spec))
    return largest * (shape.kept_bytes * whole + 4 * part)


def _trials(spec: Spec, results: Path, shape: Shape) -> pd.DataFrame:
    """The ledger's table, empty where there is none yet; another study's folder is refused as `run` would."""
    folder.admit(results, spec, shape.content)
    if ledger.exists(results):
        return ledger.read_trials(results)
    return pd.DataFrame(columns=columns(Trial))
