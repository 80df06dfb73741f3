"""How far a run is: trials done, how fast, how long still, and the best lambdas so far."""

import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import inf

from regsearch.engine import Job
from regsearch.grid import Architecture, Cell
from regsearch.ledger import Record, Trial
from regsearch.runner.pace import DEFAULT, START_SECONDS
from regsearch.spec import NONE, Spec


@dataclass(frozen=True)
class Shares:
    """How a run's time should spread, in seconds of one worker of the machine where the constants were measured.

    Only the proportions count: the pace of the run itself makes them time of this machine. Without them, the
    time left would be far off, since the largest networks train first and each is compiled once.

    Attributes:
        start: of all workers, before the first trial.
        trials: of each trial that is to be trained.
    """

    start: float
    trials: Mapping[str, float]


def share_time(jobs: Sequence[Job], spec: Spec, processes: int) -> Shares:
    """The shares of what is to be trained, from its sizes alone."""
    workers = max(1, processes)
    by_architecture: dict[Architecture, list[Job]] = defaultdict(list)
    for job in jobs:
        by_architecture[job.population.first.architecture].append(job)
    trials: dict[str, float] = {}
    for group in by_architecture.values():
        costs = [DEFAULT.estimate(job, spec) for job in group]
        seconds = costs[0].compile * min(len(group), workers) + sum(cost.train for cost in costs)
        names = [cell.trial for job in group for cell in job.population.cells]
        trials |= dict.fromkeys(names, seconds / len(names))
    return Shares(START_SECONDS * workers, trials)


class Tally:
    """A run's progress.

    Attributes:
        architectures: their names, in the grid's order.
        penalties: their names, without `none`.
        total: trials of the grid.
        had: of these, finished before the run.
        trained: finished in it.
        recent: architectures with a finished trial, the last one last.
    """

    def __init__(self) -> None:
        """Starts the clock."""
        self.architectures: tuple[str, ...] = ()
        self.penalties: tuple[str, ...] = ()
        self.total = self.had = self.trained = 0
        self.recent: list[str] = []
        self._expected: dict[str, float] = {}
        self._spent = self._left = 0.0
        self._losses: dict[str, dict[tuple[str, float, float, int], list[float]]] = defaultdict(dict)
        self._started = time.monotonic()

    def grow(self, cells: Sequence[Cell], finished: Sequence[Trial], expected: Shares) -> None:
        """Takes in the grid, or a round by which it grows.

        Args:
            cells: of the round.
            finished: what the ledger had of it.
            expected: how the time should spread over the rest.
        """
        self.architectures = tuple(dict.fromkeys([*self.architectures, *(cell.architecture.name for cell in cells)]))
        penalties = (cell.penalty_name for cell in cells if cell.penalty)
        self.penalties = tuple(dict.fromkeys([*self.penalties, *penalties]))
        self.total += len(cells)
        self.had += len(finished)
        if not self._expected:
            self._spent = expected.start
        self._expected |= expected.trials
        self._left += sum(expected.trials.values())
        names = {cell.trial: cell.architecture.name for cell in cells}
        for trial in finished:  # under the name that its network has now
            self._note(trial, names[trial.trial])

    def add(self, trials: Sequence[Trial]) -> None:
        """Takes in what one population gave."""
        for trial in trials:
            seconds = self._expected.get(trial.trial, 0.0)
            self._spent += seconds
            self._left -= seconds
            self._note(trial, trial.architecture)
        self.trained += len(trials)

    @property
    def done(self) -> int:
        """Trials finished, before the run and in it."""
        return self.had + self.trained

    @property
    def seconds(self) -> float:
        """Since the start."""
        return time.monotonic() - self._started

    @property
    def trials_a_second(self) -> float:
        """In this run."""
        return self.trained / max(self.seconds, 1e-3)

    @property
    def seconds_left(self) -> float | None:
        """At the run's pace so far; None before there is one."""
        return self.seconds * max(0.0, self._left) / self._spent if self.trained else None

    def best(self, architecture: str, penalty: str) -> float | None:
        """The lambda with the lowest mean validation loss over the seeds so far; 0 is tried for every penalty.

        One that diverged with any seed does not count. None where there is none yet.
        """
        sums = self._losses.get(architecture, {})
        if not any(name == penalty for name, *_ in sums):
            return None
        means = [(total / count, lam) for (name, lam, *_), (total, count) in sums.items() if name in (penalty, NONE)]
        loss, lam = min(means)
        return lam if loss < inf else None

    def _note(self, trial: Trial, architecture: str) -> None:
        if trial.status == "failed":
            return
        if architecture in self.recent:
            self.recent.remove(architecture)
        self.recent.append(architecture)
        loss = trial.validation_loss if trial.status == "completed" and trial.validation_loss is not None else inf
        point = (trial.penalty, trial.lam, trial.learning_rate, trial.train_size)
        sums = self._losses[architecture].setdefault(point, [0.0, 0])
        sums[0] += loss
        sums[1] += 1


class Reporter:
    """Is told how far a run is; this one shows nothing."""

    def download(self, name: str, done: int, total: int) -> None:
        """More of a file of the dataset is here: `done` of `total` bytes, 0 where the total is not known."""

    def start(self, cells: Sequence[Cell], finished: Sequence[Trial], expected: Shares) -> None:
        """The grid, or a round by which it grows; what the ledger has of it; how its time should spread."""

    def advance(self, records: Sequence[Record]) -> None:
        """One more population is trained and kept."""

    def stop(self) -> None:
        """The run is over."""
