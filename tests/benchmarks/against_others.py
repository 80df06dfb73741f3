"""regsearch against plain Keras Tuner, Optuna with PyTorch, and its own reference engine, on the same work.

regsearch is timed as a whole process (start, compile, train, tables) on the whole grid. The others take as long
for every trial, so they are timed on a few trials, interleaved with regsearch's runs, and scaled up; their
imports are left out, which favours them. Optuna runs as one single-threaded process a core, which is faster
than one process with all threads.

    python tests/benchmarks/against_others.py [--widths 8 32] [--trials 100 400] [--rounds 3] [--csv FILE]
"""

import argparse
import importlib.util
import statistics
import sys
import tempfile
from pathlib import Path

from measure import regsearch, seconds, show

from regsearch.engine import backend

HERE = Path(__file__).parent
SAMPLE = 4


def keras_tuner(width):
    """Seconds a trial of plain Keras Tuner, all cores."""
    _, (printed,) = seconds([[sys.executable, HERE / "plain_keras_tuner.py", "--width", width, "--trials", SAMPLE]])
    spent, trials = map(float, printed.split()[-2:])
    return spent / trials


def optuna_torch(width):
    """Seconds a trial of Optuna with PyTorch, a process a core."""
    command = [sys.executable, HERE / "optuna_torch.py", "--width", width, "--trials", SAMPLE]
    _, printed = seconds([command] * backend.count_cores())
    return max(float(text.split()[0]) for text in printed) / (SAMPLE * backend.count_cores())


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--widths", type=int, nargs="+", default=[8, 32])
    parser.add_argument("--trials", type=int, nargs="+", default=[100, 400])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--csv")
    arguments = parser.parse_args()
    torch = importlib.util.find_spec("torch") and importlib.util.find_spec("optuna")
    rows = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for width in arguments.widths:
            ours = {trials: [] for trials in arguments.trials}
            others = {"keras_tuner": [], "reference": [], "optuna_torch": []}
            for _ in range(arguments.rounds):
                for trials in arguments.trials:
                    ours[trials].append(regsearch(folder, width, trials))
                others["keras_tuner"].append(keras_tuner(width))
                few, more = (regsearch(folder, width, trials, "--engine", "reference") for trials in (2, 2 + SAMPLE))
                others["reference"].append((more - few) / SAMPLE)
                if torch:
                    others["optuna_torch"].append(optuna_torch(width))
            for trials, spent in ours.items():
                row = {"width": width, "trials": trials, "seconds": statistics.median(spent)}
                row["seconds_a_trial"] = row["seconds"] / trials
                for other, each in others.items():
                    if each:
                        row[f"{other}_seconds_a_trial"] = statistics.median(each)
                        row[f"times_{other}"] = statistics.median(each) / row["seconds_a_trial"]
                rows.append(row)
    show(rows, arguments.csv)


if __name__ == "__main__":
    main()
