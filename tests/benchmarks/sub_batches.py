"""How many members, and images of a batch, are best computed at a time: what the rule in `grid/costs.py` is drawn from.

Times an epoch of a network of two convolutions with 3×3 windows, at image sizes and channels from small to
large, on one thread, the choices interleaved, and prints milliseconds a member; the rule's own choice comes last.

    python tests/benchmarks/sub_batches.py [--backend tensorflow] [--rounds 5] [--csv FILE]
"""

import argparse
import time

import numpy as np
from measure import show

from regsearch import data, grid
from regsearch.engine import Job, backend, forget, train
from regsearch.spec import Spec

# (image size, channels of the image, filters, batch)
SHAPES = [
    (8, 1, 2, 32), (8, 1, 8, 32), (8, 1, 32, 32), (8, 1, 128, 16), (16, 1, 16, 64), (28, 1, 4, 128), (28, 1, 8, 128),
    (28, 1, 32, 128), (32, 3, 4, 64), (32, 3, 8, 64), (32, 3, 32, 64), (32, 3, 64, 256), (64, 3, 8, 32), (64, 3, 32, 512),
]  # fmt: skip
CHOICES = [(1, 8), (1, 16), (1, 32), (1, 128), (4, 8), (4, 16), (4, 32), (16, 16), (16, 32)]
SPEC = """\
name: shapes
dataset: {{name: digits, train: 500, validation: 500, test: 700}}
architecture:
  widths: [{filters}]
  layers:
    - Conv2D: {{filters: width, kernel_size: 3, padding: same, activation: relu}}
    - MaxPooling2D
    - Conv2D: {{filters: 2*width, kernel_size: 3, padding: same, activation: relu}}
    - MaxPooling2D
    - Flatten
    - Dense: {{units: classes}}
grid: {{penalties: [l2], lambdas: {{from: 1e-6, to: 1, per_decade: 6}}, seeds: 1}}
training: {{optimizer: {{SGD: {{learning_rate: 1e-9, momentum: 0.9}}}}, batch_size: {batch}, epochs: 1}}
"""


def prepare(name, shape):
    """What trains an epoch of so many members in sub-batches of so many images; and the rule's choice."""
    side, channels, filters, batch = shape
    spec = Spec.parse(SPEC.format(filters=filters, batch=batch), "shapes.yaml")
    (architecture,) = grid.make_architectures(spec)
    size = grid.find_size(grid.cost_architecture(architecture, (side, side, channels), 10), spec.training)
    rng, count = np.random.default_rng(0), max(256, batch)
    images = rng.random((count, side, side, channels), np.float32), rng.integers(10, size=count, dtype=np.int32)
    split = data.Split(images, images, images, 10, "cross_entropy")
    cells = grid.make_cells(spec, "population", "made up")

    def seconds(members, sub_batch):
        job = Job(
            grid.Population(tuple(cells[:members])), size, members, "population", "CPU", sub_batch, backend=name
        )
        started = time.perf_counter()
        train(job, [split], spec.training.model_copy(update={"epochs": 4}))
        return time.perf_counter() - started

    return seconds, (size.members("CPU", spec.training.memory_gib), size.sub_batch("CPU"))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--backend", default="tensorflow")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--csv")
    arguments = parser.parse_args()
    backend.start(1, "CPU", arguments.backend)
    from regsearch.engine.population.trainer import compiled

    compiled.most = 2 * len(CHOICES)
    rows = []
    for shape in SHAPES:
        seconds, rule = prepare(arguments.backend, shape)
        choices = list(dict.fromkeys((members, min(images, shape[-1])) for members, images in [*CHOICES, rule]))
        spent = {choice: [] for choice in choices}
        for number in range(arguments.rounds + 1):
            for members, images in choices:
                spent[members, images].append(1000 * seconds(members, images) / 4 / members)
                if not number:
                    spent[members, images].clear()  # it compiled
        fastest = {f"{members}x{images}": min(found) for (members, images), found in spent.items()}
        best = min(fastest, key=fastest.get)
        named = "{}x{}".format(*rule)
        rows.append({"shape": shape, "best": best, "ms": fastest[best], "rule": named, "rule_ms": fastest[named]})
        show(rows[-1:], None)
        forget()
    show(rows, arguments.csv)


if __name__ == "__main__":
    main()
