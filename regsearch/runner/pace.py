"""How long jobs take, from their sizes alone: for proportions, since only the pace of a run itself is exact."""

from regsearch.engine import Job
from regsearch.spec import Spec

START_SECONDS, COMPILE_SECONDS, IMAGE_SECONDS, WORK_SECONDS = 6.0, 3.0, 5e-6, 7e-12
"""Measured on one core: a worker starts, a network compiles, an image goes forwards, and each of its operations."""


def count_images(spec: Spec, train_size: int) -> int:
    """The images of one epoch, counted forwards: a training image goes forwards and, at twice that, back."""
    return 3 * spec.training.batch_size * spec.training.steps(train_size) + spec.dataset.validation


def estimate_seconds(job: Job, spec: Spec) -> float:
    """What a job takes to train, once compiled, on the machine where the constants were measured."""
    images = spec.training.epochs * count_images(spec, job.population.first.train_size)
    return images * (IMAGE_SECONDS + WORK_SECONDS * job.size.work * job.members)
