"""The cells of a grid as jobs: which networks train together, which are this run's to train, which are missing."""

from collections import defaultdict
from collections.abc import Callable, Container, Iterable, Sequence
from dataclasses import replace

from regsearch import grid
from regsearch.engine import Job
from regsearch.grid import Architecture, Cell, Population, Size
from regsearch.ledger import Checkpoints
from regsearch.runner.settings import Settings
from regsearch.spec import Spec


def plan_jobs(
    cells: Sequence[Cell],
    sizes: dict[Architecture, Size],
    spec: Spec,
    settings: Settings,
    device: str,
    content: str = "",
    checkpoints: Checkpoints | None = None,
) -> list[Job]:
    """The jobs of cells that are this run's to train, finished ones too.

    Which networks train together follows from the spec and the kind of device alone, whatever is finished
    already. A shard's share is cut where a CPU's populations end, whatever trains it, so that shards on machines of
    different kinds still make the whole.

    Args:
        cells: the grid, or a round by which it grows.
        sizes: of every architecture.
        spec: the study.
        settings: the engine, lowering and shard.
        device: `CPU` or `GPU`.
        content: the dataset's, which whoever trains must find too.
        checkpoints: where the state of populations in training is kept.
    """
    jobs = _group(cells, sizes, spec, settings, device, content, checkpoints)
    if settings.shard is None:
        return jobs
    share = settings.shard.share(_group(cells, sizes, spec, settings, "CPU"), spec)
    own = {cell.trial for job in share for cell in job.population.cells}
    return _narrow(jobs, lambda cell: cell.trial in own)


def select_missing(jobs: Iterable[Job], finished: Container[str]) -> list[Job]:
    """What of jobs is not finished, the longest first."""
    return sorted(_narrow(jobs, lambda cell: cell.trial not in finished), key=lambda job: -job.work)


def list_cells(jobs: Iterable[Job]) -> list[Cell]:
    """The cells of jobs, in their order."""
    return [cell for job in jobs for cell in job.population.cells]


def _group(
    cells: Sequence[Cell],
    sizes: dict[Architecture, Size],
    spec: Spec,
    settings: Settings,
    device: str,
    content: str = "",
    checkpoints: Checkpoints | None = None,
) -> list[Job]:
    jobs, by_name = [], defaultdict(list)
    for cell in cells:
        by_name[cell.architecture.name].append(cell)
    for architecture, size in sizes.items():
        members = 1 if settings.engine == "reference" else size.members(device, spec.training.memory_gib)
        populations = grid.make_populations(by_name[architecture.name], members)
        fullest = max((len(population.cells) for population in populations), default=0)  # not every one grows
        jobs += [
            Job(population, size, fullest, settings.engine, device, content, settings.lowering, True, checkpoints)
            for population in populations
        ]
    return jobs


def _narrow(jobs: Iterable[Job], wanted: Callable[[Cell], bool]) -> list[Job]:
    """The jobs with the cells that are wanted alone; those without any are left out."""
    narrowed = []
    for job in jobs:
        cells = tuple(cell for cell in job.population.cells if wanted(cell))
        if cells:
            narrowed.append(replace(job, population=Population(cells)))
    return narrowed
