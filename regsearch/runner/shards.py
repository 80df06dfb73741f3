"""A job array's part of a grid: a balanced split by the spec alone, without a word between the parts."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from regsearch.engine import Job
from regsearch.ledger import SHARDS
from regsearch.runner.pace import COMPILE_SECONDS, estimate_seconds
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
        seconds = [estimate_seconds(job, spec) for job in jobs]
        enough, least = sum(seconds) + COMPILE_SECONDS * len(jobs), max(seconds, default=0.0)
        for _ in range(50):
            middle = (least + enough) / 2
            fits = len(_cuts(jobs, seconds, middle)) <= self.count
            least, enough = (least, middle) if fits else (middle, enough)
        cuts = [*_cuts(jobs, seconds, enough), len(jobs)]
        return list(jobs[cuts[self.index - 1] : cuts[self.index]]) if self.index < len(cuts) else []


def _cuts(jobs: Sequence[Job], seconds: Sequence[float], most: float) -> list[int]:
    """Where each shard begins, if none may take longer than `most` unless by a single job."""
    cuts: list[int] = []
    load, architecture = 0.0, None
    for index, job in enumerate(jobs):
        more = seconds[index] + COMPILE_SECONDS * (job.population.first.architecture != architecture)
        architecture = job.population.first.architecture
        if not cuts or load + more > most:
            cuts.append(index)
            load, more = 0.0, seconds[index] + COMPILE_SECONDS
        load += more
    return cuts
