"""What a run will do: how much there is to train, what the ledger has, how long it will take and in what memory."""

import heapq
import math
from collections.abc import Sequence
from dataclasses import astuple, dataclass
from math import prod
from pathlib import Path

import pandas as pd

from regsearch import analysis, data, grid, ledger
from regsearch.data import Facts
from regsearch.engine import Job
from regsearch.grid import KEPT_COMPILED, Architecture, Size
from regsearch.ledger import Trial, columns
from regsearch.runner import timing
from regsearch.runner.jobs import Planner, select_missing
from regsearch.runner.pace import Cost
from regsearch.runner.settings import Settings
from regsearch.runner.signals import NoSignals, Signals
from regsearch.runner.site import ThisMachine
from regsearch.spec import Spec


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
    """One architecture's part of the plan.

    Attributes:
        populations: those left to train.
        members: how many networks train together.
        memory: bytes that they take in a worker.
        seconds: of one worker to train what is left, compiling left out; None where nothing was measured.
    """

    architecture: Architecture
    size: Size
    trials: int
    finished: int
    populations: int
    members: int
    memory: int
    seconds: float | None


@dataclass(frozen=True, repr=False)
class Plan:
    """What a run will do.

    Attributes:
        rows: one an architecture.
        folder: the results folder.
        workers: processes that train; 0 for this one.
        memory: bytes that each takes at most; None where nothing was measured, as `seconds`.
        detectable: how far an exponent of the weights must be from another to be told from it; NaN where no exponent
            can be fitted.
        scatter: the standard deviation of ln λ* about the line that this rests on.
        assumed: whether that is assumed, as the ledger does not tell it.
    """

    rows: tuple[Row, ...]
    folder: Path
    workers: int
    device: str
    memory: int | None
    seconds: Seconds | None
    detectable: float
    scatter: float
    assumed: bool

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

    @property
    def words(self) -> list[str]:
        """The whole in words, a sentence each."""
        missing = self.trials - self.finished
        said = [f"{self.trials} trials, {self.finished} of them in {self.folder}/: {missing} to train"]
        if not math.isnan(self.detectable):
            basis = "assumed" if self.assumed else "as in the ledger"
            said.append(
                f"It could tell the exponent of the weights from 0, or from -1, if it is {self.detectable:.2f} or "
                f"more off (best lambdas scatter by {self.scatter:.2f} about the line in ln lambda, {basis})"
            )
        if self.seconds is None or self.memory is None:
            return [*said, "Nothing is missing, so a run would train nothing."]
        site = f"on {self.workers} worker{'s' * (self.workers > 1)}" if self.workers else "in this process"
        memory = format_bytes(self.memory)
        overhead, compiling, training, total = map(format_duration, astuple(self.seconds))
        in_workers = f"in all workers {compiling} of compiling, {training} of training"
        return [
            *said,
            f"{self.populations} populations {site} ({self.device}), up to {memory} of memory each",
            f"About {total}: {overhead} to start and end; {in_workers}",
        ]

    def __repr__(self) -> str:
        return "\n".join(self.words)


def make_plan(spec: Spec, results: Path, settings: Settings, started: float, signals: Signals | None = None) -> Plan:
    """Plans a run; trains only a few sample populations, for some seconds, and writes nothing.

    Of a grid that grows, it knows the rounds that follow from what is finished.

    Args:
        spec: the study.
        results: the folder whose ledger says what is finished; it need not be there.
        settings: how and where the run would train.
        started: when the command started, by `time.perf_counter`.
        signals: what may ask it to stop.

    Raises:
        SpecError, DeviceError, DatasetError, ResultsError: as `run` would.
    """
    spec = data.resolve_path(spec)
    facts = data.describe(spec)
    sizes = grid.measure(spec, facts)
    trials = _read_trials(spec, results, facts)
    finished = set(trials.loc[trials["status"] != "failed", "trial"])
    finished -= set(ledger.find_incomplete(trials, [ledger.read_ends(results, trials)], results))
    rounds = list(grid.make_rounds(spec, settings.engine, facts.content, lambda: trials, settings.backend))
    site = ThisMachine(settings)
    planner = Planner(spec, sizes, settings, site.device)
    planned = [planner.plan(cells) for cells in rounds]
    jobs = [job for round_jobs in planned for job in select_missing(round_jobs, finished)]
    measured = timing.measure(spec, facts, jobs, site, started, signals or NoSignals()) if jobs else None
    processes = measured.processes if measured else 0
    costs = [measured.pace.estimate(job, spec) for job in jobs] if measured else []
    rows = []
    for architecture, size in sizes.items():
        own = [cell for cells in rounds for cell in cells if cell.architecture == architecture]
        # The grid's full populations say how many train together, also where only a few are left.
        members = next(job.networks for job in planned[0] if job.population.first.architecture == architecture)
        places = [index for index, job in enumerate(jobs) if job.population.first.architecture == architecture]
        rows.append(
            Row(
                architecture=architecture,
                size=size,
                trials=len(own),
                finished=sum(cell.trial in finished for cell in own),
                populations=len(places),
                members=members,
                memory=members * size.memory(site.device),
                seconds=sum(costs[index].train for index in places) if measured else None,
            )
        )
    scatter = _find_scatter(trials)
    return Plan(
        rows=tuple(rows),
        folder=results,
        workers=processes,
        device=site.device,
        memory=measured.memory + count_data_bytes(spec, facts) if measured else None,
        seconds=schedule(jobs, costs, processes, measured.overhead) if measured else None,
        detectable=analysis.find_detectable([size.weights for size in sizes.values()], scatter or analysis.SCATTER),
        scatter=scatter or analysis.SCATTER,
        assumed=scatter is None,
    )


def schedule(jobs: Sequence[Job], costs: Sequence[Cost], processes: int, overhead: float) -> Seconds:
    """How long the jobs take: each goes to the worker that is free first, which keeps the last networks compiled.

    Args:
        jobs: in the order in which they are handed out.
        costs: of each.
        processes: worker processes; 0 counts as one.
        overhead: what a run takes besides.
    """
    free = [(0.0, worker) for worker in range(max(1, processes))]
    compiled: list[list[tuple[Architecture, int]]] = [[] for _ in free]
    compiling = 0.0
    for job, cost in zip(jobs, costs, strict=True):
        time, worker = heapq.heappop(free)
        first = job.population.first
        program = (first.architecture, first.train_size)
        if program not in compiled[worker]:
            compiling += cost.compile
            time += cost.compile
        architectures = dict.fromkeys([first.architecture, *(architecture for architecture, _ in compiled[worker])])
        kept = list(architectures)[:KEPT_COMPILED]
        others = [other for other in compiled[worker] if other != program and other[0] in kept]
        compiled[worker] = [program, *others]
        heapq.heappush(free, (time + cost.train, worker))
    training = sum(cost.train for cost in costs)
    return Seconds(overhead, compiling, training, overhead + max(time for time, _ in free))


def count_data_bytes(spec: Spec, facts: Facts) -> int:
    """Bytes of the images a worker holds: the whole dataset, where it is not drawn, and one seed's part of it."""
    part = max(spec.train_sizes()) + spec.dataset.validation + spec.dataset.test
    whole = 0 if facts.widening else facts.pool + facts.validation + facts.test
    largest = max(prod(facts.for_width(architecture.width).image) for architecture in grid.make_architectures(spec))
    return largest * (facts.kept_bytes * whole + 4 * part)


def _read_trials(spec: Spec, results: Path, facts: Facts) -> pd.DataFrame:
    """The ledger's table, empty where there is none yet; another study's folder is refused as `run` would."""
    ledger.admit(results, spec, facts.content)
    if ledger.exists(results):
        return ledger.read_trials(results)
    return pd.DataFrame(columns=list(columns(Trial)))


def _find_scatter(trials: pd.DataFrame) -> float | None:
    """How best lambdas scatter about the line, the median over the settings that the ledger tells of."""
    curves = list(analysis.make_curves(trials))
    best = analysis.find_best_lambdas(curves)
    fits = analysis.fit_scaling(best, analysis.resample_optima(curves, best))
    known = fits.loc[(fits["against"] == "trainable_weights") & (fits["scatter"] > 0), "scatter"]
    return float(known.median()) if len(known) else None


def format_duration(seconds: float) -> str:
    """`45 s`, `2 min 5 s`, `3 h 20 min`, `4 d 3 h`."""
    whole = round(seconds)
    for unit, size, part, smaller in (("d", 86400, "h", 3600), ("h", 3600, "min", 60), ("min", 60, "s", 1)):
        if whole >= size:
            return f"{whole // size} {unit} {whole % size // smaller} {part}"
    return f"{whole} s"


def format_bytes(size: int) -> str:
    """`15 MiB`, `1.2 GiB`."""
    return f"{size / 2**20:.0f} MiB" if size < 1000 * 2**20 else f"{size / 2**30:.1f} GiB"
