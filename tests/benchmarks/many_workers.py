"""What the driver costs: a study of 10,000 populations on 64 workers that sleep instead of training.

    python tests/benchmarks/many_workers.py [--workers 64] [--populations 10000] [--seconds 3] [--threads]

The workers are threads of one other process, under a Dask scheduler of its own, which on two cores takes about as much
of the machine as the driver does; with `--threads` they are threads of the driver, without Dask. Each population sleeps for half to
one and a half times `--seconds` and gives back records of a usual size. The run is the real one:
jobs, ledger, Keras Tuner's trials, progress; the tables at its end are left out. Prints the time that 64 workers
would take if each had its next population at once, and what the run added.
"""

import argparse
import heapq
import logging
import random
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from pathlib import Path

from regsearch import study
from regsearch.ledger.records import Counts, Epoch, record_completed
from regsearch.runner import Cluster, Reporter, dispatch, work
from regsearch.runner.workers import Workers
from regsearch.spec import Spec

SPEC = """
name: many
dataset: {{name: digits, train: 64, validation: 64, test: 64}}
architecture:
  widths: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]
  layers:
    - Conv2D: {{filters: width, kernel_size: 3}}
    - Flatten
    - Dense: {{units: classes}}
grid:
  penalties: [l1, l2]
  lambdas: [0, 0.01, 0.1]
  seeds: {seeds}
  learning_rates: [0.01, 0.02, 0.03, 0.04, 0.05, 0.06, 0.07, 0.08, 0.09, 0.1]
training:
  optimizer: SGD
  epochs: 40
"""
CLUSTER = """
import logging, sys, time
from distributed import LocalCluster
logging.getLogger("distributed").setLevel(logging.CRITICAL)
with LocalCluster(n_workers=int(sys.argv[1]), threads_per_worker=1, processes=False, protocol="tcp",
                  dashboard_address=None, host="127.0.0.1", memory_limit=0) as cluster:
    print(cluster.scheduler_address, flush=True)
    sys.stdin.read()
"""


def length(job, mean: float) -> float:
    """How long a population sleeps, in seconds."""
    return mean * random.Random(job.population.first.trial).uniform(0.5, 1.5)


def asleep(mean: float):
    """In place of `work.train`."""

    def train(_, job, __):
        time.sleep(length(job, mean))
        return [
            record_completed(
                cell,
                Counts(100, 90),
                [Epoch(cell.trial, n, 1.234567891, 0.1, 1.1, 0.5, 0.3, 12.3456789, 3.45678912) for n in range(41)],
                (1.0, 0.5),
                mean,
            )
            for cell in job.population.cells
        ]

    return train


def ideal(lengths: list[float], workers: int) -> float:
    """The time when each worker has its next population at once, in the order given."""
    free = [0.0] * workers
    for seconds in lengths:
        heapq.heapreplace(free, free[0] + seconds)
    return max(free)


@contextmanager
def dask(count: int):
    """Workers in another process."""
    command = [sys.executable, "-c", CLUSTER, str(count)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as cluster:
        yield study.Settings(cluster=Cluster(cluster.stdout.readline().strip()), device="CPU")
        cluster.stdin.close()


class ThreadsAsSite:
    """Workers in this process, as a `Site`."""

    device, threads = "CPU", 1

    def __init__(self, count: int) -> None:
        self.count = count

    def count_processes(self, _: int) -> int:
        return self.count

    @contextmanager
    def open_pool(self, *_):
        with ThreadPoolExecutor(self.count) as executor:
            yield Workers(
                lambda task, *given: executor.submit(task, *given, lambda: None), lambda: 2 * self.count, self.count
            )


@contextmanager
def threads(count: int):
    """Settings that train on threads of this process."""
    study.runner.open_site = lambda _: nullcontext(ThreadsAsSite(count))
    yield study.Settings()


def main() -> None:
    """Runs it once."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workers", type=int, default=64)
    parser.add_argument("--populations", type=int, default=10_000)
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--threads", action="store_true")
    options = parser.parse_args()
    logging.getLogger("regsearch").setLevel(logging.ERROR)
    work.train = asleep(options.seconds)
    handed: list[float] = []
    ended: list[float] = []

    class Watching(Reporter):
        """Notes when the last population is kept."""

        def advance(self, _):
            ended.append(time.perf_counter())

    train = dispatch.train

    def noting(spec, workers, todo, raise_if_stopped):
        handed.extend([time.perf_counter(), *(length(job, options.seconds) for job in todo)])
        return train(spec, workers, todo, raise_if_stopped)

    dispatch.train = noting
    study.report.write = lambda *_: None
    spec = Spec.parse(SPEC.format(seeds=options.populations // 100), "many.yaml")
    with tempfile.TemporaryDirectory() as folder, (threads if options.threads else dask)(options.workers) as settings:
        study.run(spec, Path(folder), settings, Watching())
    started, *lengths = handed
    took, best = ended[-1] - started, ideal(lengths, options.workers)
    print(
        f"{len(lengths)} populations on {options.workers} workers: ideal {best:.1f} s, took {took:.1f} s: "
        f"{took / best - 1:+.1%}"
    )


if __name__ == "__main__":
    main()
