"""Which lowering of convolution is fastest at which shape: what the rule in `regsearch/grid/costs.py` is drawn from.

Times forward and backward passes of one member's convolution on one thread, the lowerings interleaved, and
prints the median GFLOP/s of each over the rounds.

    python tests/benchmarks/convolutions.py [--rounds 5] [--csv FILE]
"""

import argparse
import statistics
import time

import pandas as pd
import tensorflow as tf

from regsearch.engine import backend
from regsearch.engine.population.convolution import convolve
from regsearch.grid.costs import LOWERINGS, Size
from regsearch.grid.shapes import Window

# (image size, channels, filters, kernel size, batch)
SHAPES = [
    (8, 1, 8, 3, 32),
    (6, 2, 4, 3, 32),
    (6, 8, 16, 3, 32),
    (6, 32, 64, 3, 32),
    (6, 128, 256, 3, 32),
    (28, 1, 32, 3, 32),
    (26, 16, 32, 3, 32),
    (32, 3, 64, 3, 32),
    (30, 16, 32, 3, 32),
    (30, 64, 128, 3, 32),
    (30, 64, 64, 1, 32),
    (28, 16, 32, 5, 32),
    (14, 64, 64, 3, 128),
]


def prepared(shape, lowering):
    """A call that makes `steps` forward and backward passes."""
    size, channels, filters, kernel_size, batch = shape
    window = Window((kernel_size, kernel_size), (1, 1), "valid")
    x = tf.random.normal((1, channels, size, size, batch))
    kernel = tf.random.normal((1, kernel_size, kernel_size, channels, filters)) * 0.1

    @tf.function(jit_compile=lowering != "native")
    def passes(x, kernel, steps):
        for _ in tf.range(steps):
            with tf.GradientTape() as tape:
                tape.watch([x, kernel])
                loss = tf.reduce_sum(tf.square(convolve(x, kernel, None, window, lowering)))
            gradients = tape.gradient(loss, [x, kernel])
            x, kernel = x - 1e-9 * gradients[0], kernel - 1e-9 * gradients[1]
        return tf.reduce_sum(x) + tf.reduce_sum(kernel)

    return lambda steps: passes(x, kernel, tf.constant(steps)).numpy()


def size_of(patches):
    """The size of a network whose largest patches are these many numbers."""
    return Size(0, 0, 0, 4 * patches, 0)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--csv")
    arguments = parser.parse_args()
    backend.start(threads=1, device="CPU")
    rows = []
    for shape in SHAPES:
        size, channels, filters, kernel_size, batch = shape
        positions = (size - kernel_size + 1) ** 2
        work = 3 * 2 * positions * batch * kernel_size**2 * channels * filters
        steps = max(2, int(5e9 // work) if work > 1e7 else 200)
        calls = {lowering: prepared(shape, lowering) for lowering in LOWERINGS}
        seconds = {lowering: [] for lowering in LOWERINGS}
        for call in calls.values():
            call(steps)  # XLA compiles anew for another number of steps
        for _ in range(arguments.rounds):
            for lowering, call in calls.items():
                started = time.perf_counter()
                call(steps)
                seconds[lowering].append((time.perf_counter() - started) / steps)
        rates = {name: work / statistics.median(values) / 1e9 for name, values in seconds.items()}
        row = {"image": size, "channels": channels, "filters": filters, "kernel": kernel_size, "batch": batch}
        row |= {name: round(rate, 1) for name, rate in rates.items()}
        row |= {
            "fastest": max(rates, key=rates.get),
            "rule": size_of(channels * kernel_size**2 * positions * batch).lowering((kernel_size,) * 2, "CPU"),
        }
        rows.append(row)
        print(pd.DataFrame([row]).to_string(index=False, header=len(rows) == 1), flush=True)
    if arguments.csv:
        pd.DataFrame(rows).to_csv(arguments.csv, index=False)


if __name__ == "__main__":
    main()
