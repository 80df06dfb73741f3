"""The cells of a grid as jobs: which networks train together, which are this run's to train, which are missing."""

from collections import defaultdict
from collections.abc import Callable, Container, Iterable, Sequence
from dataclasses import dataclass, replace

from regsearch import grid
from regsearch.engine import Job
from regsearch.grid import Architecture, Cell, Population, Size
from regsearch.ledger import Checkpoints
from regsearch.runner.settings import Settings
from regsearch.spec import Spec


@dataclass(frozen=True)
class Planner:
    """How the cells of a study become jobs.

    Attributes:
        sizes: of every architecture.
        settings: the engine, backend and shard.
        device: `CPU` or `GPU`.
        content: the dataset's, which whoever trains must find too.
        checkpoints: where the state of populations in training is kept.
    """

    spec: Spec
    sizes: dict[Architecture, Size]
    settings: Settings
    device: str
    content: str = ""
    checkpoints: Checkpoints | None = None

    def plan(self, cells: Sequence[Cell]) -> list[Job]:
        """The jobs of a round that are this run's to train, finished ones too.

        Which networks train together follows from the spec and the kind of device alone, whatever is finished
        already. A shard's share is cut where a CPU's populations end, whatever trains it, so that shards on machines
        of different kinds still make the whole.
        """
        jobs = self._group(cells)
        if self.settings.shard is None:
            return jobs
        share = self.settings.shard.share(replace(self, device="CPU")._group(cells), self.spec)
        own = {cell.trial for cell in list_cells(share)}
        return _narrow(jobs, lambda cell: cell.trial in own)

    def _group(self, cells: Sequence[Cell]) -> list[Job]:
        jobs, by_name = [], defaultdict(list)
        for cell in cells:
            by_name[cell.architecture.name].append(cell)
        engine, backend, device = self.settings.engine, self.settings.backend, self.device
        for architecture, size in self.sizes.items():
            most = 1 if engine == "reference" else size.members(device, self.spec.training.memory_gib)
            populations = grid.make_populations(by_name[architecture.name], most, wide=device == "GPU")
            each = [[len(group) for group in population.groups] for population in populations]
            members = max((max(group) for group in each), default=0)  # not every one grows
            groups = max(map(len, each), default=0)
            sub_batch = size.sub_batch(device)
            jobs += [
                Job(
                    population,
                    size,
                    members,
                    engine,
                    device,
                    sub_batch,
                    groups,
                    backend,
                    self.content,
                    checkpoints=self.checkpoints,
                )
                for population in populations
            ]
        return jobs


def select_missing(jobs: Iterable[Job], finished: Container[str]) -> list[Job]:
    """What of jobs is not finished, the longest first."""
    return sorted(_narrow(jobs, lambda cell: cell.trial not in finished), key=lambda job: -job.work)


def list_cells(jobs: Iterable[Job]) -> list[Cell]:
    """The cells of jobs, in their order."""
    return [cell for job in jobs for cell in job.population.cells]


def _narrow(jobs: Iterable[Job], wanted: Callable[[Cell], bool]) -> list[Job]:
    """The jobs with the cells that are wanted alone; those without any are left out."""
    narrowed = ((job, tuple(cell for cell in job.population.cells if wanted(cell))) for job in jobs)
    return [replace(job, population=Population(cells)) for job, cells in narrowed if cells]
