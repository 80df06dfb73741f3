"""A job array's part of a grid: a balanced split by the spec alone, without a word between the parts."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from regsearch.engine import Job
from regsearch.ledger import SHARDS
from regsearch.runner.pace import DEFAULT, Cost
from regsearch.spec import Spec

MOST = 10_000


@dataclass(frozen=True)
class Shard:
    """Part `index`, from 1, of `count`."""

    index: int
    count: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """Reads `3/8`.

        Raises:
            ValueError: it is nothing of the kind.
        """
        match = re.fullmatch(r"([1-9]\d{0,4})/([1-9]\d{0,4})", text)
        if not match or not int(match[1]) <= int(match[2]) <= MOST:
            raise ValueError(f"expected I/N with I from 1 to N and N up to {MOST}, such as 3/8, got {text!r}")
        return cls(int(match[1]), int(match[2]))

    def __str__(self) -> str:
        return f"{self.index} of {self.count}"

    @property
    def part(self) -> str:
        """Its part of the ledger, in the results folder."""
        return f"{SHARDS}/{self.index}-of-{self.count}"

    def share(self, jobs: Sequence[Job], spec: Spec) -> list[Job]:
        """This shard's part of all jobs of a grid: a run of them, so that it compiles few networks.

        Jobs are cut, in the grid's order, where it makes the longest shard shortest: the linear partition problem,
        solved by bisecting how long a shard may take, its compiling included.
        """
        costs = [DEFAULT.estimate(job, spec) for job in jobs]
        enough = sum(cost.train + cost.compile for cost in costs)
        least = max((cost.train for cost in costs), default=0.0)
        for _ in range(50):
            middle = (least + enough) / 2
            fits = len(_cut(jobs, costs, middle)) <= self.count
            least, enough = (least, middle) if fits else (middle, enough)
        cuts = [*_cut(jobs, costs, enough), len(jobs)]
        return list(jobs[cuts[self.index - 1] : cuts[self.index]]) if self.index < len(cuts) else []


def _cut(jobs: Sequence[Job], costs: Sequence[Cost], most: float) -> list[int]:
    """Where each shard begins, if none may take longer than `most` seconds unless by a single job."""
    cuts: list[int] = []
    load, architecture = 0.0, None
    for index, (job, cost) in enumerate(zip(jobs, costs, strict=True)):
        more = cost.train + cost.compile * (job.population.first.architecture != architecture)
        architecture = job.population.first.architecture
        if not cuts or load + more > most:
            cuts.append(index)
            load, more = 0.0, cost.train + cost.compile
        load += more
    return cuts
