"""How near training comes to the machine's arithmetic: the share of its measured matrix-multiply rate.

Both are measured at once on every core, one single-threaded process each: products of 1024×1024 matrices, then
the population engine on digits, then products again. Also prints what a trial costs beyond its arithmetic.

    python tests/benchmarks/arithmetic.py [--backend tensorflow] [--widths 8 32 64] [--rounds 3] [--csv FILE]
"""

import argparse
import multiprocessing
import statistics
import time

import numpy as np
from measure import EPOCHS, show, spec, work

from regsearch.engine import backend


def matmul_rate():
    """GFLOP/s of one core on matrix products."""
    from keras import ops

    a = ops.convert_to_tensor(np.random.default_rng(0).normal(size=(1024, 1024)), "float32")
    for _ in range(3):
        ops.convert_to_numpy(ops.matmul(a, a))
    started = time.perf_counter()
    for _ in range(60):
        ops.convert_to_numpy(ops.matmul(a, a))
    return 60 * 2 * 1024**3 / (time.perf_counter() - started) / 1e9


def one_core(name, width, barrier, answers):
    """Measures on one core, in step with the others."""
    backend.start(1, "CPU", name)
    from regsearch import data as datasets
    from regsearch import engine, grid
    from regsearch.engine import Job
    from regsearch.spec import Spec

    study = Spec.parse(spec(width, 20), "work.yaml")
    ((architecture, size),) = grid.measure(study, datasets.describe(study)).items()
    cells = [cell for cell in grid.make_cells(study, "population", "digits") if cell.architecture == architecture]
    population = grid.make_populations(cells, size.members("CPU", study.training.memory_gib))[0]
    members = len(population.cells)
    split = datasets.split(datasets.load(study), study.dataset, cells[0].train_size, 0)
    job = Job(population, size, members, "population", "CPU", size.sub_batch("CPU"), backend=name)
    engine.train(job, [split], study.training.model_copy(update={"epochs": 1}))
    barrier.wait()
    before = matmul_rate()
    barrier.wait()
    started = time.perf_counter()
    engine.train(job, [split], study.training.model_copy(update={"epochs": EPOCHS}))
    spent = (time.perf_counter() - started) / members
    barrier.wait()
    answers.put((members, (before + matmul_rate()) / 2, spent))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--backend", default="tensorflow")
    parser.add_argument("--widths", type=int, nargs="+", default=[8, 32, 64])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--csv")
    arguments = parser.parse_args()
    context = multiprocessing.get_context("spawn")
    cores, rows = backend.count_cores(), []
    for width in arguments.widths:
        rounds = []
        for _ in range(arguments.rounds):
            barrier, answers = context.Barrier(cores), context.Queue()
            workers = [
                context.Process(target=one_core, args=(arguments.backend, width, barrier, answers))
                for _ in range(cores)
            ]
            for worker in workers:
                worker.start()
            found = [answers.get() for _ in workers]
            for worker in workers:
                worker.join()
            peak, rate = sum(each[1] for each in found), sum(work(width) / each[2] for each in found) / 1e9
            spent = statistics.mean(each[2] for each in found)
            ideal = work(width) / (peak / cores) / 1e9
            rounds.append((peak, rate, rate / peak, spent, spent - ideal))
        names = ("matmul_gflops", "training_gflops", "share", "seconds_a_trial_a_core", "beyond_arithmetic")
        medians = [statistics.median(values) for values in zip(*rounds, strict=True)]
        rows.append({"width": width, "members": found[0][0], **dict(zip(names, medians, strict=True))})
    show(rows, arguments.csv)


if __name__ == "__main__":
    main()
