"""How fast this machine trains: a few small populations, timed in the workers that a run would use."""

import resource
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import wait
from dataclasses import dataclass, replace
from itertools import chain
from math import ceil
from typing import Self

import numpy as np

from regsearch import engine
from regsearch.data import Arrays, Facts, Split
from regsearch.engine import Job
from regsearch.errors import RegsearchError
from regsearch.grid import Architecture, Population
from regsearch.runner import dispatch
from regsearch.runner.pace import Pace, Timing, count_images
from regsearch.runner.signals import Signals
from regsearch.runner.site import ThisMachine
from regsearch.spec import Spec, Training

SAMPLES_OF_ONE, SAMPLES_OF_MANY = 2, 4
"""Architectures timed where one is trained at several widths, and where each has layers of its own."""
EPOCH_WORK = 2e10
"""Multiplications and additions of a timed epoch, about a second's worth; a longer one is cut short."""
FEWEST_STEPS = 4
SECONDS = 1.0
"""What the timed epochs of one network take together, about."""
MOST_EPOCHS = 40


@dataclass(frozen=True)
class Measured:
    """What was measured.

    Attributes:
        pace: how fast populations train in a worker.
        overhead: seconds from the start of the command to the first population, and from the last to the end.
        memory: bytes that the largest worker process took.
        processes: worker processes; 0 for this one, also where no others can start.
    """

    pace: Pace
    overhead: float
    memory: int
    processes: int


def pick_samples(jobs: Sequence[Job], most: int) -> list[Job]:
    """The jobs to time: of each architecture the first, then the smallest, the largest and some evenly between."""
    firsts: dict[Architecture, Job] = {}
    for job in jobs:
        firsts.setdefault(job.population.first.architecture, job)
    ordered = sorted(firsts.values(), key=lambda job: job.size.work * job.networks)
    return [ordered[round(index)] for index in np.linspace(0, len(ordered) - 1, min(most, len(ordered)))]


def measure(
    spec: Spec, facts: Facts, jobs: Sequence[Job], site: ThisMachine, started: float, signals: Signals
) -> Measured:
    """Times sample populations in every worker at once, as they would train; on made-up images.

    Args:
        spec: the study.
        facts: of its dataset.
        jobs: what is to be trained.
        site: whose workers they would train on.
        started: when the command started, by `time.perf_counter`.
        signals: what may ask it to stop.

    Raises:
        RegsearchError: a sample could not be trained.
    """
    began = time.time() - (time.perf_counter() - started)
    samples = pick_samples(jobs, SAMPLES_OF_ONE if spec.architecture else SAMPLES_OF_MANY)
    pool = site.open_pool(
        site.count_processes(jobs), samples[0].threads, samples[0].backend, signals.raise_if_stopped
    )
    with signals.deferred(), pool as ready:
        engine.import_quietly(jobs[0].backend)
        from regsearch.runner import tuner  # noqa: F401 - a run imports it too

        futures = []
        for worker in range(max(1, ready.processes)):
            turn = worker % len(samples)  # each worker starts with another, as its first takes longer to compile
            futures.append(ready.submit(_time_all, spec, facts, samples[turn:] + samples[:turn]))
        while wait(futures, timeout=dispatch.POLL_SECONDS).not_done:
            signals.raise_if_stopped()
            ready.ahead()
        try:
            results = [future.result() for future in futures]
        except Exception as error:
            name = ", ".join(job.population.first.architecture.name for job in samples)
            raise RegsearchError(
                f"expected sample populations of {name} to train, got: {error or type(error).__name__}. "
                "Is there memory for them? See training.memory_gib and --workers."
            ) from error
    closing = time.time() - max(result.ended for result in results)
    starting = statistics.mean(result.began for result in results) - began
    pace, warming = combine([result.timings for result in results])
    return Measured(pace, starting + warming + closing, max(result.memory for result in results), ready.processes)


def combine(timings: Sequence[Sequence[Timing]]) -> tuple[Pace, float]:
    """What several workers measured together, and how much longer the first architecture of each took to compile.

    Args:
        timings: each worker's, in the order in which it took them.
    """
    by_work: dict[float, list[Timing]] = {}
    for timing in chain.from_iterable(timings):
        by_work.setdefault(timing.work, []).append(timing)
    compiling = {work: min(timing.compile for timing in group) for work, group in by_work.items()}
    warming = statistics.mean(first.compile - compiling[first.work] for first, *_ in timings)
    means = (
        Timing(
            work=work,
            compile=compiling[work],
            start=statistics.mean(timing.start for timing in group),
            image=statistics.mean(timing.image for timing in group),
        )
        for work, group in sorted(by_work.items())
    )
    return Pace(tuple(means)), warming


@dataclass(frozen=True)
class _Timed:
    """What one worker has to say: when it began and ended, by the clock on the wall, and its memory's peak."""

    began: float
    ended: float
    memory: int
    timings: list[Timing]


def _time_all(spec: Spec, facts: Facts, jobs: list[Job], raise_if_stopped: Callable[[], None]) -> _Timed:
    """Times each job in a worker, once the engine is imported."""
    engine.start(jobs[0].threads, jobs[0].device, jobs[0].backend)
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
        engine.train(sample.job, [sample.split], training, raise_if_stopped)
        return time.perf_counter() - started

    compiling, alone = seconds(1), seconds(1)
    more = min(MOST_EPOCHS, ceil(SECONDS / max(alone, 1e-3)))
    epoch = max(0.0, seconds(1 + more) - alone) / more
    return Timing(
        work=float(sample.job.size.work * sample.job.networks),
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
        share = min(1.0, EPOCH_WORK / (job.size.work * job.networks * count_images(spec, size)))
        steps = max(min(steps, FEWEST_STEPS), int(steps * share))
        size = min(size, steps * batch)
        cells = tuple(replace(cell, train_size=size, learning_rate=1e-9) for cell in job.population.cells)
        seen = facts.for_width(job.population.first.architecture.width)
        rng = np.random.default_rng(0)

        def make_up(count: int) -> Arrays:
            x = rng.random((count, *seen.image), np.float32)
            if seen.loss == "squared_error":
                return x, rng.random((count, seen.outputs), np.float32)
            return x, rng.integers(seen.outputs, size=count, dtype=np.int32)

        scored = [max(1, int(share * count)) for count in (spec.dataset.validation, spec.dataset.test)]
        split = Split(make_up(size), make_up(scored[0]), make_up(scored[1]), seen.outputs, seen.loss)
        training = spec.training.model_copy(update={"steps_per_epoch": steps, "early_stopping": None})
        return cls(replace(job, population=Population(cells)), split, training)

    @property
    def images(self) -> int:
        """The images of one epoch, counted forwards."""
        steps = self.training.steps(len(self.split.train[0]))
        return 3 * self.training.batch_size * steps + len(self.split.validation[0])
