"""Width 64 on 32×32×3 images: time and memory of the population engine against the reference engine.

The population engine runs on both backends.

Both are timed as whole processes with every core of the machine, interleaved: the population engine as one
single-threaded worker a core, the reference engine with all threads. Memory is the largest of any one process.

    python tests/benchmarks/large_images.py [--width 64] [--rounds 2] [--csv FILE]
"""

import argparse
import resource
import statistics
import sys
import tempfile
from pathlib import Path

import numpy as np
from measure import seconds, show

SPEC = """\
name: large
dataset: {{name: npz, path: {path}, train: 256, validation: 64, test: 64}}
architecture:
  widths: [{width}]
  layers:
    - Conv2D: {{filters: width, kernel_size: 3, activation: relu}}
    - Conv2D: {{filters: 2*width, kernel_size: 3, activation: relu}}
    - MaxPooling2D
    - Flatten
    - Dense: {{units: classes}}
grid: {{penalties: [l1], lambdas: [0, 0.001], seeds: 2}}
training: {{optimizer: {{SGD: {{learning_rate: 0.01}}}}, batch_size: 32, epochs: 20}}
"""

VARIANTS = {"tensorflow": [], "jax": ["--backend", "jax"], "reference": ["--engine", "reference"]}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--width", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--csv")
    arguments = parser.parse_args()
    spent = {name: [] for name in VARIANTS}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        rng = np.random.default_rng(0)
        images = rng.integers(0, 256, (384, 32, 32, 3), dtype=np.uint8)
        np.savez(folder / "images.npz", x=images, y=np.arange(384) % 10)
        (folder / "spec.yaml").write_text(SPEC.format(path=folder / "images.npz", width=arguments.width))
        memory = {}
        for number in range(arguments.rounds):
            for variant, found in spent.items():
                command = [sys.executable, "-m", "regsearch", "run", folder / "spec.yaml", "--quiet"]
                found.append(seconds([[*command, *VARIANTS[variant], "--out", folder / f"{variant}-{number}"]])[0])
                # The largest process so far: the population engine runs first, so its figure is its own.
                memory.setdefault(variant, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 2**20)
    rows = [
        {"engine": variant, "width": arguments.width, "trials": 4, "seconds": statistics.median(found),
         "largest_process_gib": memory[variant]}
        for variant, found in spent.items()
    ]  # fmt: skip
    show(rows, arguments.csv)


if __name__ == "__main__":
    main()
