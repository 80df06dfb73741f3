"""How the time of a whole `regsearch run` grows with trials, width and epochs.

python tests/benchmarks/growth.py [--rounds 3] [--csv FILE]
"""

import argparse
import statistics
import tempfile
from pathlib import Path

from measure import regsearch, show

CASES = [
    *({"width": 8, "trials": trials, "epochs": 40} for trials in (20, 100, 400, 1000)),
    *({"width": width, "trials": 100, "epochs": 40} for width in (2, 16, 32)),
    *({"width": 8, "trials": 100, "epochs": epochs} for epochs in (10, 160)),
]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--csv")
    arguments = parser.parse_args()
    spent = [[] for _ in CASES]
    with tempfile.TemporaryDirectory() as name:
        for _ in range(arguments.rounds):
            for case, found in zip(CASES, spent, strict=True):
                found.append(regsearch(Path(name), case["width"], case["trials"], epochs=case["epochs"]))
    rows = [{**case, "seconds": statistics.median(found)} for case, found in zip(CASES, spent, strict=True)]
    show([{**row, "seconds_a_trial": row["seconds"] / row["trials"]} for row in rows], arguments.csv)


if __name__ == "__main__":
    main()
