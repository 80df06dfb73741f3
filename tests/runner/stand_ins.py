"""What workers do in tests in place of training. They import no TensorFlow for it, which takes each new one seconds."""

import logging
import os
import signal
import time

from distributed import get_worker

from regsearch.ledger.records import Counts, Record, Trial
from regsearch.runner.workers import Prepared, UnwantedError


class Unprepared(Prepared):
    """Leaves a worker as it is."""

    def setup(self, worker):
        pass


def complete(_, job, *__):
    return [Record(Trial.of(cell, Counts(10, 9), "completed")) for cell in job.population.cells]


def die_once(spec, job, *asked, marker):
    """Kills its own process the first time it runs."""
    if not marker.exists():
        marker.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return complete(spec, job, *asked)


def die_of_one_network(spec, job, *asked):
    first = job.population.first
    if first.seed == 0 and first.architecture.width == 1 and first.lam == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    return complete(spec, job, *asked)


def warn(_):
    logging.getLogger("regsearch.ledger.checkpoints").warning("said by a worker")


def idle(_):
    time.sleep(0.1)


def find_scheduler(_):
    return get_worker().scheduler.address


def go_on_until_unwanted(folder, raise_if_unwanted):
    (folder / "started").touch()
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            raise_if_unwanted()
        except UnwantedError:
            (folder / "unwanted").touch()
            raise
        time.sleep(0.02)
