"""How fast this machine trains: a few small populations, timed in the workers that a run would use."""

import resource
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import wait
from dataclasses import dataclass, replace
from math import ceil
from typing import Self

import numpy as np

from regsearch import engine
from regsearch.data import Arrays, Facts, Split
from regsearch.engine import Job
from regsearch.errors import RegsearchError
from regsearch.grid import Architecture, Population
from regsearch.runner import dispatch, workers
from regsearch.runner.pace import count_images
from regsearch.runner.signals import Signals
from regsearch.spec import Spec, Training

SAMPLES_OF_ONE, SAMPLES_OF_MANY = 2, 4
"""Networks timed where one architecture is trained at several widths, and where each has layers of its own."""
EPOCH_WORK = 2e10
"""Multiplications and additions of a timed epoch, about a second's worth; a longer one is cut short."""
FEWEST_STEPS = 4
SECONDS = 1.0
"""What the timed epochs of one network take together, about."""
MOST_EPOCHS = 40


@dataclass(frozen=True)
class Timing:
    """What one network took in one process.

    Attributes:
        work: that of one image through the whole population, forwards.
        compile: seconds to build and compile it.
        start: seconds a population takes besides its epochs.
        image: seconds of one image forwards; with its way back an image counts as three.
    """

    work: float
    compile: float
    start: float
    image: float


@dataclass(frozen=True)
class Timings:
    """What was measured.

    Attributes:
        networks: by rising work.
        overhead: seconds from the start of the command to the first population, and from the last to the end.
        memory: bytes that the largest worker process took.
    """

    architectures: tuple[Timing, ...]
    overhead: float
    memory: int


def samples(jobs: Sequence[Job], most: int) -> list[Job]:
    """The jobs to time: of each network the first, then the smallest, the largest and some evenly between."""
    firsts: dict[Architecture, Job] = {}
    for job in jobs:
        firsts.setdefault(job.population.first.architecture, job)
    ordered = sorted(firsts.values(), key=lambda job: job.size.work * job.members)
    picked = np.linspace(0, len(ordered) - 1, min(most, len(ordered)))
    return [ordered[round(at)] for at in picked]


def measure(
    spec: Spec, facts: Facts, jobs: Sequence[Job], processes: int, started: float, signals: Signals
) -> Timings:
    """Times sample populations in every worker at once, as they would train; on made-up images.

    Args:
        spec: the study.
        facts: of its dataset.
        jobs: what is to be trained.
        processes: worker processes; 0 for this one.
        started: when the command started, by `time.perf_counter`.
        signals: what may ask it to stop.

    Raises:
        RegsearchError: a sample could not be trained.
    """
    began = time.time() - (time.perf_counter() - started)
    chosen = samples(jobs, SAMPLES_OF_ONE if spec.architecture else SAMPLES_OF_MANY)
    threads, device = chosen[0].threads, chosen[0].device
    with signals.deferred(), workers.pool(processes, device, threads, signals.raise_if_stopped) as ready:
        engine.start(threads, device)
        from regsearch.runner import tuner  # noqa: F401 - a run imports it too

        futures = []
        for worker in range(max(1, processes)):
            turn = worker % len(chosen)  # each worker starts with another, as its first takes longer to compile
            futures.append(ready.submit(_time_all, spec, facts, chosen[turn:] + chosen[:turn]))
        while wait(futures, timeout=dispatch.POLL_SECONDS).not_done:
            signals.raise_if_stopped()
        try:
            found = [future.result() for future in futures]
        except Exception as error:
            name = ", ".join(job.population.first.architecture.name for job in chosen)
            raise RegsearchError(
                f"expected sample populations of {name} to train, got: {error or type(error).__name__}. "
                "Is there memory for them? See training.memory_gib and --workers."
            ) from error
    closing = time.time() - max(one.ended for one in found)
    starting = statistics.mean(one.began for one in found) - began
    timings, warming = combined([one.timings for one in found])
    return Timings(timings, starting + warming + closing, max(one.memory for one in found))


def combined(found: Sequence[Sequence[Timing]]) -> tuple[tuple[Timing, ...], float]:
    """What several workers measured, by rising work, and what the first network of each took longer to compile.

    Args:
        found: each worker's timings, in the order in which it took them.
    """
    architectures: dict[float, list[Timing]] = {}
    for timing in (timing for timings in found for timing in timings):
        architectures.setdefault(timing.work, []).append(timing)
    compiling = {work: min(timing.compile for timing in timings) for work, timings in architectures.items()}
    warming = statistics.mean(timings[0].compile - compiling[timings[0].work] for timings in found)
    means = (
        Timing(
            work=work,
            compile=compiling[work],
            start=statistics.mean(timing.start for timing in timings),
            image=statistics.mean(timing.image for timing in timings),
        )
        for work, timings in sorted(architectures.items())
    )
    return tuple(means), warming


@dataclass(frozen=True)
class _Timed:
    """What one worker has to say: when it began and ended, by the clock on the wall, and its memory's peak."""

    began: float
    ended: float
    memory: int
    timings: list[Timing]


def _time_all(spec: Spec, facts: Facts, jobs: list[Job], raise_if_stopped: Callable[[], None]) -> _Timed:
    """Times each job's network, in a worker, once the engine is imported."""
    engine.start(jobs[0].threads, jobs[0].device)
    samples = [_Sample.of(spec, facts, job) for job in jobs]
    began = time.time()
    timings = [_time(sample, raise_if_stopped) for sample in samples]
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    return _Timed(began, time.time(), memory, timings)


def _time(sample: "_Sample", raise_if_stopped: Callable[[], None]) -> Timing:
    """Times a first epoch, which compiles, a second one alone, and one with others after it."""

    def seconds(epochs: int) -> float:
        started = time.perf_counter()
        training = sample.training.model_copy(update={"epochs": epochs})
        engine.train(sample.job, sample.split, training, raise_if_stopped)
        return time.perf_counter() - started

    compiling, alone = seconds(1), seconds(1)
    more = min(MOST_EPOCHS, ceil(SECONDS / max(alone, 1e-3)))
    epoch = max(0.0, seconds(1 + more) - alone) / more
    return Timing(
        work=float(sample.job.size.work * sample.job.members),
        compile=max(0.0, compiling - alone),
        start=max(0.0, alone - epoch),
        image=epoch / sample.images,
    )


@dataclass(frozen=True)
class _Sample:
    """A job on made-up images: with shorter epochs where one would take long, learning too little to diverge."""

    job: Job
    split: Split
    training: Training

    @classmethod
    def of(cls, spec: Spec, facts: Facts, job: Job) -> Self:
        """The sample of a job."""
        size, batch = job.population.first.train_size, spec.training.batch_size
        steps = spec.training.steps(size)
        work = job.size.work * job.members * count_images(spec, size)
        share = min(1.0, EPOCH_WORK / work)
        steps = max(min(steps, FEWEST_STEPS), int(steps * share))
        size = min(size, steps * batch)
        cells = tuple(replace(cell, train_size=size, learning_rate=1e-9) for cell in job.population.cells)
        seen = facts.for_width(job.population.first.architecture.width)
        made_up = np.random.default_rng(0)

        def some(count: int) -> Arrays:
            x = made_up.random((count, *seen.image), np.float32)
            if seen.loss == "squared_error":
                return x, made_up.random((count, seen.outputs), np.float32)
            return x, made_up.integers(seen.outputs, size=count, dtype=np.int32)

        scored = [max(1, int(share * count)) for count in (spec.dataset.validation, spec.dataset.test)]
        split = Split(some(size), some(scored[0]), some(scored[1]), seen.outputs, seen.loss)
        training = spec.training.model_copy(update={"steps_per_epoch": steps, "early_stopping": None})
        return cls(replace(job, population=Population(cells)), split, training)

    @property
    def images(self) -> int:
        """Those of one epoch, counted forwards."""
        steps = self.training.steps(len(self.split.train[0]))
        return 3 * self.training.batch_size * steps + len(self.split.validation[0])
