"""How near training comes to the machine's arithmetic: the share of its measured matrix-multiply rate.

Both are measured at once on every core, one single-threaded process each: products of 1024×1024 matrices, then
the population engine on digits, then products again. Also prints what a trial costs beyond its arithmetic, and
what recording (gradient norms, weight sums) costs beyond the validation pass.

    python tests/benchmarks/arithmetic.py [--widths 8 32 64] [--rounds 3] [--csv FILE]
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
    import tensorflow as tf

    a, b = tf.random.normal((1024, 1024)), tf.random.normal((1024, 1024))
    for _ in range(3):
        tf.matmul(a, b).numpy()
    started = time.perf_counter()
    for _ in range(60):
        c = tf.matmul(a, b)
    c.numpy()
    return 60 * 2 * 1024**3 / (time.perf_counter() - started) / 1e9


def unrecorded(trainer):
    """The trainer's epoch without gradient norms and weight sums."""
    import tensorflow as tf

    class Bare(type(trainer)):
        def _step(self, *arguments):
            loss, norm, finite = super()._step(*arguments)
            return loss, tf.zeros_like(norm), finite

        def _train_epoch(self, *arguments):
            measures = super()._train_epoch(*arguments)
            return {name: measures[name] for name in ("train_loss", "validation_loss", "validation_accuracy")}

    bare = object.__new__(Bare)
    bare.__dict__.update(trainer.__dict__)
    return tf.function(bare._train_epoch, jit_compile=True)


def one_core(width, barrier, answers):
    """Measures on one core, in step with the others."""
    backend.start(threads=1)
    import tensorflow as tf

    from regsearch import data as datasets
    from regsearch.engine import Job
    from regsearch.engine.population import training
    from regsearch.grid import cells as grid
    from regsearch.grid import costs as sizing
    from regsearch.randomness import draw_batches
    from regsearch.spec import Spec

    study = Spec.parse(spec(width, 20), "work.yaml")
    ((architecture, size),) = sizing.measure(study, datasets.describe(study)).items()
    members = min(20, size.members("CPU", study.training.memory_gib))
    cells = [cell for cell in grid.make_cells(study, "population", "digits") if cell.architecture == architecture]
    population = grid.Population(tuple(cells[:members]))
    split = datasets.split(datasets.load(study), study.dataset, cells[0].train_size, 0)
    job = Job(population, size, members, "population", "CPU")
    trainer = training.Trainer(training.Program.of(job, split, study.training))
    short, long = (study.training.model_copy(update={"epochs": epochs}) for epochs in (1, EPOCHS))
    trainer.run(population, split, short)
    order = tf.constant(draw_batches(0, 1, len(split.train[0]), study.training.batch_size))
    rates = tf.fill([len(order)], tf.constant(cells[0].learning_rate, tf.float32))
    validation = training.Parts(*map(tf.constant, training.Parts.of(split.validation)))
    shares = np.array([cell.coefficients(size.penalised) for cell in population.cells], np.float32).T
    data = (
        tuple(map(tf.constant, split.train)),
        order,
        rates,
        validation,
        training.Strengths(*map(tf.constant, shares)),
    )
    epochs = {"recorded": trainer.train_epoch, "bare": unrecorded(trainer)}
    for epoch in epochs.values():
        epoch(*data)["train_loss"].numpy()
    barrier.wait()
    before = matmul_rate()
    barrier.wait()
    started = time.perf_counter()
    trainer.run(population, split, long)
    spent = (time.perf_counter() - started) / members
    barrier.wait()
    after = matmul_rate()
    timed = {name: [] for name in epochs}
    for _ in range(25):
        for name, epoch in epochs.items():
            started = time.perf_counter()
            epoch(*data)["train_loss"].numpy()
            timed[name].append(time.perf_counter() - started)
    recording = statistics.median(timed["recorded"]) / statistics.median(timed["bare"]) - 1
    answers.put((members, (before + after) / 2, spent, recording))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
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
            workers = [context.Process(target=one_core, args=(width, barrier, answers)) for _ in range(cores)]
            for worker in workers:
                worker.start()
            found = [answers.get() for _ in workers]
            for worker in workers:
                worker.join()
            peak, rate = sum(each[1] for each in found), sum(work(width) / each[2] for each in found) / 1e9
            spent = statistics.mean(each[2] for each in found)
            ideal = work(width) / (peak / cores) / 1e9
            rounds.append((peak, rate, rate / peak, spent, spent - ideal, statistics.mean(each[3] for each in found)))
        names = (
            "matmul_gflops",
            "training_gflops",
            "share",
            "seconds_a_trial_a_core",
            "beyond_arithmetic",
            "recording_cost",
        )
        medians = [statistics.median(values) for values in zip(*rounds, strict=True)]
        rows.append({"width": width, "members": found[0][0], **dict(zip(names, medians, strict=True))})
    show(rows, arguments.csv)


if __name__ == "__main__":
    main()
