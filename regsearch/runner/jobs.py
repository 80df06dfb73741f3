"""What workers are handed: a population to train and how, and `work`, which does it wherever it is called."""

import socket
import threading
from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from regsearch import data as datasets
from regsearch.data import Images
from regsearch.engine import backend
from regsearch.errors import DatasetError
from regsearch.grid import cells as grid
from regsearch.grid.cells import Cell, Network, Population
from regsearch.grid.costs import Size
from regsearch.ledger.checkpoints import StateFile, States
from regsearch.ledger.records import Record
from regsearch.runner import faults
from regsearch.spec.study import Spec

COMPILE_SECONDS, IMAGE_SECONDS, WORK_SECONDS = 3.0, 5e-6, 7e-12
"""Measured on one core: a network compiles, an image goes forwards, and each of its operations."""

_one_at_a_time = threading.Lock()


@dataclass(frozen=True)
class Job:
    """A population to train, and how.

    Attributes:
        size: of its network.
        members: how many networks to compile for; the population may be smaller.
        engine: `population` or `reference`.
        device: `CPU` or `GPU`.
        content: what the dataset must hold where it trains; see `datasets.Shape`. Empty holds it to nothing.
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
    content: str = ""
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

    def seconds(self, spec: Spec) -> float:
        """What it takes to train, compiled, on the machine where the constants were measured: for proportions."""
        first = self.population.first
        images = 3 * spec.training.batch_size * spec.training.steps(first.train_size) + spec.dataset.validation
        return spec.training.epochs * images * (IMAGE_SECONDS + WORK_SECONDS * self.size.work * self.members)


def planned(
    cells: Sequence[Cell],
    sizes: dict[Network, Size],
    spec: Spec,
    engine: str,
    device: str,
    content: str = "",
    lowering: str | None = None,
    states: States | None = None,
) -> list[Job]:
    """The populations of cells, by the spec and the kind of device alone, whatever is finished already.

    Args:
        cells: the grid, or a round by which it grows.
        sizes: of every network.
        spec: the study.
        engine: `population` or `reference`.
        device: `CPU` or `GPU`.
        content: the dataset's, which whoever trains must find too.
        lowering: forces how convolutions are computed.
        states: where the state of populations in training is kept.
    """
    found = []
    for network, size in sizes.items():
        members = 1 if engine == "reference" else size.members(device, spec.training.memory_gib)
        populations = grid.populations((cell for cell in cells if cell.network == network), members)
        fullest = max((len(population.cells) for population in populations), default=0)  # not every network grows
        found += [Job(one, size, fullest, engine, device, content, lowering, states=states) for one in populations]
    return found


def missing(jobs: Iterable[Job], finished: Container[str]) -> list[Job]:
    """What of jobs is not finished, the longest first."""
    found = []
    for job in jobs:
        left = tuple(cell for cell in job.population.cells if cell.trial not in finished)
        if left:
            found.append(replace(job, population=Population(left)))
    return sorted(found, key=lambda job: -job.work)


def work(spec: Spec, job: Job) -> list[Record]:
    """Trains one population, wherever this runs; the dataset is loaded once a process, and one trains at a time."""
    with _one_at_a_time:
        return _work(spec, job)


def _work(spec: Spec, job: Job) -> list[Record]:
    backend.start(job.threads, job.device)
    first = job.population.first
    split = datasets.split(
        _images(spec, job.content), spec.dataset, first.train_size, first.seed, first.network.width
    )
    how: dict[str, Any] = {"engine": job.engine, "device": job.device}
    if job.engine == "reference":
        from regsearch.engine import reference

        return reference.train(job.population, split, spec.training, job.state(how))
    from regsearch.engine.population import training

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
def _images(spec: Spec, content: str) -> Images | None:
    """The dataset, which must be that of the driver also where this is another machine."""
    found = datasets.shape(spec).content if content else ""
    if found != content:
        raise DatasetError(
            f"dataset {spec.dataset.name} on {socket.gethostname()}: expected the data that the run was started with "
            f"({content}), got other data of that name or path ({found}). Every worker must see the same files."
        )
    return datasets.load(spec)
