"""How near `regsearch plan` comes: what it says and what `regsearch run` then takes, by turns, on one spec.

    python tests/benchmarks/planned.py [--spec configs/digits.yaml] [--rounds 3]

Each round plans, then runs into a fresh folder with the default workers; both are timed as whole processes.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path


def regsearch(*arguments: str) -> tuple[float, str]:
    """The seconds that a command takes, and what it prints."""
    started = time.perf_counter()
    done = subprocess.run([sys.executable, "-m", "regsearch", *arguments], capture_output=True, text=True, check=True)
    return time.perf_counter() - started, done.stdout


def main() -> None:
    """Prints a line a round, then the medians."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--spec", default="configs/digits.yaml")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    rounds = []
    for number in range(options.rounds):
        with tempfile.TemporaryDirectory() as scratch:
            folder = str(Path(scratch) / "results")
            planning, printed = regsearch("plan", options.spec, "--out", folder, "--json")
            running, _ = regsearch("run", options.spec, "--out", folder, "--quiet")
        planned = json.loads(printed)["seconds"]
        rounds.append((planning, planned, running))
        print(
            f"{number + 1}: planned {planned:.1f} s in {planning:.1f} s; ran {running:.1f} s: {planned / running:.2f}"
        )
    planning, planned, running = (statistics.median(column) for column in zip(*rounds, strict=True))
    print(f"medians: planned {planned:.1f} s in {planning:.1f} s; ran {running:.1f} s: {planned / running:.2f}")


if __name__ == "__main__":
    main()
