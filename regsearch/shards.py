"""A job array's part of a grid: a balanced split by the spec alone, without a word between the parts."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from regsearch.grid import Network
from regsearch.jobs import COMPILE_SECONDS, Job
from regsearch.ledger import SHARDS
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
        """This shard's part of all jobs of a grid: the longest first, each to the shard that then has least to do.

        A shard that has not met a network before has to compile it, which counts.
        """
        loads = np.zeros(self.count)
        met: dict[Network, NDArray[np.bool_]] = {}
        own = []
        for seconds, job in sorted(((job.seconds(spec), job) for job in jobs), key=lambda pair: -pair[0]):
            compiled = met.setdefault(job.population.first.network, np.zeros(self.count, bool))
            after = loads + seconds + COMPILE_SECONDS * ~compiled
            shard = int(after.argmin())
            loads[shard], compiled[shard] = after[shard], True
            if shard == self.index - 1:
                own.append(job)
        return own
