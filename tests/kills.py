"""Kills a run again and again at random moments, resumes it each time, and compares it with an undisturbed one.

A program, not a test module (a short version is in test_kills.py):

    python tests/kills.py 20
    python tests/kills.py 5 --signal SIGTERM
    python tests/kills.py 5 --worker
    python tests/kills.py 10 --cluster

Each time it starts `regsearch run` with two workers on a grid of 120 networks and kills it at a random moment: every
other time anywhere from its start to as long as the whole run took, and every other time after its first new row
in the ledger, since most of a short run is start-up. With SIGKILL the whole process group, with SIGTERM or SIGINT
the command alone, which must end within 10 seconds with 143 or 130 and leave no process; with `--worker` one
worker process, after which the run must go on by itself; with `--cluster` all kills strike workers of one run on a
Dask cluster under TLS. At the end every trial must be in the ledger once,
and every table must be that of the undisturbed run: byte for byte the derived ones, `trials.csv` but for
`seconds`, both ledger files in any order of rows. Prints a line a kill and one in the end; exits 1 if anything
differs.
"""

import argparse
import csv
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil
from cluster import cluster

SPEC = """\
name: kills
dataset: {name: digits, train: 200, validation: 200, test: 200, label_noise: 0.2}
architecture:
  widths: [2, 3, 4, 6]
  layers:
    - Conv2D: {filters: width, kernel_size: 3, activation: relu}
    - Dropout: {rate: 0.1}
    - Flatten
    - Dense: {units: classes}
grid:
  penalties: [l1, l2]
  lambdas: [0, 0.001, 0.01]
  seeds: 6
training:
  optimizer: {SGD: {learning_rate: 0.05, momentum: 0.9}}
  batch_size: 32
  epochs: 150
"""
ENDS_WITHIN = 10.0
CODES = {signal.SIGTERM: 143, signal.SIGINT: 130}


class Run:
    """One `regsearch run` in a process group of its own."""

    def __init__(self, spec: Path, out: Path, *where: str) -> None:
        self.log = tempfile.TemporaryFile()  # noqa: SIM115
        command = [sys.executable, "-m", "regsearch", "run", spec, "--out", out, *where]
        self.process = subprocess.Popen(
            list(map(str, command)), stdout=self.log, stderr=self.log, start_new_session=True
        )

    def wait(self, seconds: float | None = None) -> int | None:
        """The exit code, or None if it still runs after so many seconds."""
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            return None

    def said(self) -> str:
        """What it printed."""
        self.log.seek(0)
        return self.log.read().decode()

    def left(self) -> list[psutil.Process]:
        """Its processes that still run."""
        found = []
        for process in psutil.process_iter():
            try:
                if os.getpgid(process.pid) == self.process.pid and process.status() != psutil.STATUS_ZOMBIE:
                    found.append(process)
            except (psutil.Error, ProcessLookupError):
                continue
        return found

    def kill(self) -> None:
        """Kills its whole process group, and waits until nothing of it runs."""
        while self.left():
            try:
                os.killpg(self.process.pid, signal.SIGKILL)
            except ProcessLookupError:
                break
            self.process.wait()
            time.sleep(0.01)
        self.process.wait()


def ledger(folder: Path, name: str, dropped: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    """The rows of a ledger file, sorted, without the columns that may differ."""
    with (folder / name).open(newline="") as file:
        return sorted(
            tuple(value for key, value in row.items() if key not in dropped) for row in csv.DictReader(file)
        )


def differences(expected: Path, got: Path) -> list[str]:
    """What of a results folder is not as in the undisturbed one."""
    found = []
    trials = [row[0] for row in ledger(got, "trials.csv")]
    if repeated := len(trials) - len(set(trials)):
        found.append(f"{repeated} rows of trials.csv are repeated")
    if ledger(expected, "trials.csv", ("seconds",)) != ledger(got, "trials.csv", ("seconds",)):
        found.append("trials.csv differs")
    if ledger(expected, "epochs.csv") != ledger(got, "epochs.csv"):
        found.append("epochs.csv differs")
    tables = {path.name for folder in (expected, got) for path in folder.glob("*.csv")} - {"trials.csv", "epochs.csv"}
    for name in sorted(tables):
        one, other = expected / name, got / name
        if not (one.exists() and other.exists() and one.read_bytes() == other.read_bytes()):
            found.append(f"{name} differs")
    found += [f"{path.name} was left behind" for path in got.rglob("*") if "partial" in path.name]
    return found


def rows(folder: Path) -> int:
    """The lines of the ledger so far."""
    path = folder / "trials.csv"
    return path.read_bytes().count(b"\n") if path.exists() else 0


def first_row(run: Run, folder: Path) -> float:
    """Waits until the run adds to its ledger, or ends; gives the moment."""
    before = max(1, rows(folder))
    while rows(folder) <= before and run.wait(0.02) is None:
        pass
    return time.monotonic()


def strike(run: Run, after: float, number: signal.Signals, worker: bool, rng: random.Random) -> str | None:
    """Kills a run after a while; None if it had ended by itself.

    Raises:
        AssertionError: it did not end as it should, or what it left is wrong.
    """
    code = run.wait(after)
    if code is not None:
        assert code == 0, f"it ended by itself with {code}:\n{run.said()}"
        return None
    if worker:
        return _strike_worker(run, rng)
    if number == signal.SIGKILL:
        run.kill()
        return "killed"
    started = time.monotonic()
    run.process.send_signal(number)
    code = run.wait(60)
    took = time.monotonic() - started
    if code == 0:
        return None  # it was at its very end
    while (left := run.left()) and time.monotonic() - started < ENDS_WITHIN:
        time.sleep(0.1)
    said = run.said()
    run.kill()
    # In its first moments, before it can take signals, Python itself ends.
    assert code in (CODES[number], -number), f"{number.name} after {after:.2f} s gave exit code {code}:\n{said}"
    assert code < 0 or "run the same command again" in said, said
    assert took <= ENDS_WITHIN, f"{number.name} after {after:.2f} s took {took:.1f} s"
    assert not left, f"{number.name} after {after:.2f} s left {left}"
    return f"ended with {code} after {took:.1f} s"


def _strike_worker(run: Run, rng: random.Random) -> str:
    workers = [process for process in run.left() if any("spawn_main" in word for word in process.cmdline())]
    if not workers:
        return "no worker yet"
    chosen = rng.choice(workers)
    chosen.kill()
    code = run.wait(300)
    assert code == 0, f"killing a worker ended the run with {code}:\n{run.said()}"
    return "killed a worker; the run went on"


def main() -> int:
    """Kills as often as asked."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("kills", type=int, help="how many times to kill")
    parser.add_argument("--seed", type=int, default=0, help="of the random moments")
    parser.add_argument("--spec", type=Path, help="a spec in place of the built-in grid of 120 networks")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--signal", choices=["SIGKILL", "SIGTERM", "SIGINT"], default="SIGKILL")
    parser.add_argument("--worker", action="store_true", help="kill one worker instead of the run")
    parser.add_argument("--cluster", action="store_true", help="kill workers of a Dask cluster instead")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        return _compare(options, Path(folder))


def _compare(options: argparse.Namespace, folder: Path) -> int:
    spec = options.spec or folder / "kills.yaml"
    if options.spec is None:
        spec.write_text(SPEC)
    rng = random.Random(options.seed)
    started = time.monotonic()
    where = ["--workers", str(options.workers)]
    undisturbed = Run(spec, folder / "undisturbed", *where)
    trained_from = first_row(undisturbed, folder / "undisturbed")
    assert undisturbed.wait() == 0, undisturbed.said()
    length, training = time.monotonic() - started, time.monotonic() - trained_from
    print(
        f"undisturbed: {length:.1f} s, {training:.1f} s of them after the first row, "
        f"{rows(folder / 'undisturbed') - 1} trials",
        flush=True,
    )
    if options.cluster:
        _strike_cluster(spec, folder / "cluster", options, training, rng)
        return _verdict(
            options.kills,
            "a worker of a cluster, SIGKILL",
            1,
            options,
            differences(folder / "undisturbed", folder / "cluster"),
        )
    kills = rounds = 0
    wrong: list[str] = []
    while kills < options.kills and not wrong:
        out = folder / f"disturbed-{rounds}"
        while True:
            run = Run(spec, out, *where)
            if kills == options.kills:
                assert run.wait() == 0, run.said()
                break
            since = "its start"
            after = rng.uniform(0, length)
            if kills % 2:
                first_row(run, out)
                since, after = "its first row", rng.uniform(0, training)
            how = strike(run, after, signal.Signals[options.signal], options.worker, rng)
            if how is None:
                break
            kills += how != "no worker yet"
            finished = max(0, rows(out) - 1)
            print(f"kill {kills}: {after:.2f} s after {since}, {finished} trials in the ledger: {how}", flush=True)
            if options.worker:
                run.kill()
                break
        wrong += differences(folder / "undisturbed", out)
        rounds += 1
    return _verdict(kills, "a worker, SIGKILL" if options.worker else options.signal, rounds, options, wrong)


def _verdict(kills: int, what: str, rounds: int, options: argparse.Namespace, wrong: list[str]) -> int:
    print(
        f"{kills} kills ({what}, seed {options.seed}) in "
        f"{rounds} runs: {'; '.join(wrong) if wrong else 'every trial once, every table as undisturbed'}"
    )
    return 1 if wrong else 0


def _strike_cluster(spec: Path, out: Path, options: argparse.Namespace, length: float, rng: random.Random) -> None:
    """Kills workers of one run on a cluster, spread over as long as the undisturbed run trained."""
    with cluster(options.workers) as running:
        run = Run(spec, out, *running.options())
        first_row(run, out)
        for kill in range(options.kills):
            after = rng.uniform(0, 2 * length / options.kills)
            assert run.wait(after) is None, f"it ended before kill {kill + 1}:\n{run.said()}"
            while not (training := running.training()):  # each is being replaced
                time.sleep(0.1)
            rng.choice(training).kill()
            print(f"kill {kill + 1}: {after:.2f} s later, {rows(out) - 1} trials in the ledger", flush=True)
        assert run.wait(600) == 0, run.said()


if __name__ == "__main__":
    sys.exit(main())
