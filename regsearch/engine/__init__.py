"""How networks train: one at a time as plain Keras, or in populations. A backend is imported when first used."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from regsearch.data import Split
from regsearch.engine.backend import count_cores, find_gpus, has_gpu, import_quietly, start
from regsearch.engine.backend.xla_flags import check_xla_flags, list_xla_flags
from regsearch.engine.job import Job
from regsearch.engine.limits import count_allowed_bytes
from regsearch.grid import Architecture
from regsearch.ledger import Record
from regsearch.spec import Training

if TYPE_CHECKING:
    import keras

__all__ = [
    "Job", "build", "check_xla_flags", "count_allowed_bytes", "count_cores", "find_gpus", "forget", "has_gpu",
    "import_quietly", "list_xla_flags", "start", "train",
]  # fmt: skip


def train(
    job: Job, splits: Sequence[Split], training: Training, raise_if_stopped: Callable[[], None] = lambda: None
) -> list[Record]:
    """Trains a population.

    Args:
        job: which networks, and how.
        splits: the data of each of its groups.
        training: optimizer, batch size, epochs.
        raise_if_stopped: called often; what it raises ends the training.

    Returns:
        One record a member, in order.
    """
    if job.engine == "reference":
        from regsearch.engine import reference

        return reference.train(job, splits, training, raise_if_stopped)
    from regsearch.engine.population import training as population

    return population.train(job, splits, training, raise_if_stopped)


def forget() -> None:
    """Lets go of every compiled network and its memory, as after running out of it."""
    from regsearch.engine.population import trainer

    trainer.compiled.forget()


def build(
    architecture: Architecture, image: tuple[int, int, int], outputs: int, seed: int, l1: float, l2: float
) -> "keras.Sequential":
    """An architecture as a plain Keras model with the start of a seed, and L1 and L2 of these strengths."""
    from regsearch.engine import plain

    return plain.build(architecture, image, outputs, seed, l1, l2)
