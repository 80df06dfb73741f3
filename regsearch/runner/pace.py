"""How long jobs take: by constants, for proportions alone, or as measured on this machine."""

from dataclasses import dataclass

import numpy as np

from regsearch.engine import Job
from regsearch.spec import Spec

START_SECONDS = 6.0
"""Measured on one core: a worker starts."""


@dataclass(frozen=True)
class Timing:
    """What a population took in one process.

    Attributes:
        work: multiplications and additions of one image through the whole population, forwards.
        compile: seconds to build and compile its architecture.
        start: seconds that it takes besides its epochs.
        image: seconds of one image forwards; with its way back an image counts as three.
    """

    work: float
    compile: float
    start: float
    image: float


@dataclass(frozen=True)
class Cost:
    """What one job costs a worker, in seconds.

    Attributes:
        compile: of its architecture, paid by each worker that does not have it compiled already.
        train: of the population itself.
    """

    compile: float
    train: float


@dataclass(frozen=True)
class Pace:
    """How fast a machine trains.

    Attributes:
        timings: by rising work; what lies between two is on a straight line over the work.
    """

    timings: tuple[Timing, ...]

    def estimate(self, job: Job, spec: Spec) -> Cost:
        """The cost of a job: it trains for `start` + epochs × images × `image` seconds."""
        work = job.size.work * job.networks
        works = [timing.work for timing in self.timings]
        compiling, start, image = (
            float(np.interp(work, works, [getattr(timing, name) for timing in self.timings]))
            for name in ("compile", "start", "image")
        )
        images = count_images(spec, job.population.first.train_size)
        return Cost(compiling, start + spec.training.epochs * images * image)


_FAR = 1e15
DEFAULT = Pace((Timing(0.0, 3.0, 0.0, 5e-6), Timing(_FAR, 3.0, 0.0, 5e-6 + 7e-12 * _FAR)))
"""Measured on one core: a network compiles, an image goes forwards, and each of its operations."""


def count_images(spec: Spec, train_size: int) -> int:
    """The images of one epoch, counted forwards: a training image goes forwards and, at twice that, back."""
    return 3 * spec.training.batch_size * spec.training.steps(train_size) + spec.dataset.validation
