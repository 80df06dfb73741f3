"""What a second worker saves: a grid of equal populations with one worker process and with two, by turns.

python tests/benchmarks/two_workers.py [--width 16] [--trials 800] [--rounds 3]

Whole commands are timed, from their start to their tables; a worker trains on one thread.
"""

import argparse
import statistics
import tempfile
from pathlib import Path

from measure import regsearch


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--width", type=int, default=16)
    parser.add_argument("--trials", type=int, default=800)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    found = []
    with tempfile.TemporaryDirectory() as name:
        for number in range(options.rounds):
            one, two = (
                regsearch(Path(name), options.width, options.trials, "--workers", count) for count in ("1", "2")
            )
            found.append(two / one)
            print(f"{number + 1}: one worker {one:.1f} s, two {two:.1f} s: {two / one:.2f}", flush=True)
    print(f"median: {statistics.median(found):.2f}")


if __name__ == "__main__":
    main()
