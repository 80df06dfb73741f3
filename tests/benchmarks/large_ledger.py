"""What a large results folder costs: `regsearch report`, and `regsearch run` where nothing is missing, as processes.

python tests/benchmarks/large_ledger.py [--seeds 100] [--python PYTHON] [--keep FOLDER]

The folder's 86,000 networks (860 a seed) of 21 epochs each were never trained: its ledger is written as text, with
losses made up. A line a command: its wall time, its processors' time, and the most memory that its process had.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from regsearch import data, grid, ledger
from regsearch import spec as specs

SPEC = """\
name: large
dataset: {{name: digits, train: 64, validation: 50, test: 50}}
architecture:
  widths: [2, 4, 8, 16]
  layers:
    - Conv2D: {{filters: width, kernel_size: 3, activation: relu}}
    - Flatten
    - Dense: {{units: classes}}
grid:
  penalties: [l1, l2]
  lambdas: [0, {lambdas}]
  seeds: {seeds}
training:
  optimizer: {{SGD: {{learning_rate: 0.05, momentum: 0.9}}}}
  batch_size: 32
  epochs: {epochs}
"""
LAMBDAS = np.geomspace(1e-5, 1, 107)
EPOCHS = 20


def write(folder, seeds):
    """Writes the spec and the results folder; gives their paths."""
    path, results = folder / "large.yaml", folder / "results"
    lambdas = ", ".join(f"{lam:.6g}" for lam in LAMBDAS)
    path.write_text(SPEC.format(lambdas=lambdas, seeds=seeds, epochs=EPOCHS))
    spec = specs.Spec.load(path)
    facts = data.describe(spec)
    sizes = {architecture.name: size for architecture, size in grid.measure(spec, facts).items()}
    results.mkdir(exist_ok=True)
    ledger.claim(results, spec, "population", facts)
    rng = np.random.default_rng(0)
    with (results / ledger.TRIALS).open("w") as trials, (results / ledger.EPOCHS).open("w") as epochs:
        trials.write(",".join(ledger.columns(ledger.Trial)) + "\n")
        epochs.write(",".join(ledger.columns(ledger.Epoch)) + "\n")
        for cell in grid.make_cells(spec, "population", facts.content):
            size = sizes[cell.architecture.name]
            losses = bowl(cell.lam, size.penalised) + 0.02 * rng.normal() + 1 / np.arange(1, EPOCHS + 2)
            sums = f"{size.penalised**0.75:.4g},{size.penalised**0.5:.4g}"
            for epoch, loss in enumerate(losses):
                trained = f"{loss:.4g}" if epoch else ""
                epochs.write(f"{cell.trial},{epoch},{trained},0.1235,{loss:.4g},0.5,{trained},{sums}\n")
            named = f"{cell.trial},{cell.architecture.name},{cell.architecture.width},{size.weights},{size.penalised}"
            axes = f"{cell.penalty_name},{cell.lam!r},{cell.learning_rate!r},{cell.train_size},{cell.seed}"
            scores = f"{loss:.4g},0.1235,{loss:.4g},0.5,{loss + 0.1:.4g},0.5,{sums},1.5"
            trials.write(f"{named},{axes},completed,{EPOCHS},{EPOCHS},{scores},,{cell.engine},0.5\n")
    return path, results


def bowl(lam, weights):
    """Lowest where lambda is 1 over the weights, and worse without a penalty."""
    return 0.8 + (1.5 if lam == 0 else 0.1 * np.log(lam * weights) ** 2)


def measure(command):
    """Seconds of wall and processor time, and the most memory in MB, of a process that ends well."""
    started = time.perf_counter()
    process = subprocess.Popen(list(map(str, command)), stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        sys.exit(f"{' '.join(map(str, command))} failed")
    return time.perf_counter() - started, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def main():
    """Prints a line a command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=100)
    parser.add_argument("--python", default=sys.executable, help="the interpreter whose regsearch is measured")
    parser.add_argument("--keep", type=Path, help="where the folder is made and stays")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = options.keep or Path(scratch)
        folder.mkdir(exist_ok=True)
        spec, results = write(folder, options.seeds)
        size = sum(path.stat().st_size for path in results.glob("*.csv")) / 1e6
        print(f"{options.seeds * (1 + 2 * len(LAMBDAS)) * 4} networks, {size:.0f} MB")
        for name, arguments in (("report", [results]), ("run", [spec, "--out", results, "--workers", "inline"])):
            seconds, processor, memory = measure([options.python, "-m", "regsearch", name, *arguments, "--quiet"])
            print(f"{name:6} {seconds:5.1f} s, {processor:5.1f} s of processors, {memory:5.0f} MB")


if __name__ == "__main__":
    main()
