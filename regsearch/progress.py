"""How far a run is, on stderr: a live bar on a terminal, a plain line now and then elsewhere."""

import time
from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from regsearch.records import Record


class Reporter(Protocol):
    """Shows the progress of one run."""

    def start(self, total: int, done: int) -> None:
        """The grid has `total` trials, of which the ledger has `done`."""

    def advance(self, records: list[Record]) -> None:
        """One more population is trained and kept."""

    def stop(self) -> None:
        """The run is over."""


class Silent:
    """Shows nothing."""

    def start(self, total: int, done: int) -> None:
        """Shows nothing."""

    def advance(self, records: list[Record]) -> None:
        """Shows nothing."""

    def stop(self) -> None:
        """Shows nothing."""


class Lines:
    """Plain lines for a batch log: every 10 seconds at first, then ever more seldom."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.total = self.done = self.trained = 0

    def start(self, total: int, done: int) -> None:
        """Says what there is to do."""
        self.total, self.done = total, done
        self.started = self.shown = time.monotonic()
        if done < total:
            had = f", {done} of them in the ledger" if done else ""
            self.console.print(f"{total} trials{had}: training {total - done}", highlight=False)

    def advance(self, records: list[Record]) -> None:
        """Prints a line if the last is long enough ago, and at the end."""
        self.trained += len(records)
        now = time.monotonic()
        left = self.total - self.done - self.trained
        if left and now - self.shown < max(10.0, 0.05 * (now - self.started)):
            return
        self.shown = now
        seconds = now - self.started
        trial = records[-1].trial
        self.console.print(
            f"{self.done + self.trained}/{self.total} trials, {seconds:.0f} s, about "
            f"{left * seconds / self.trained:.0f} s left (last: {trial.architecture} {trial.penalty})",
            highlight=False,
        )

    def stop(self) -> None:
        """Nothing is left to do."""


class Bar:
    """One live line on a terminal."""

    def __init__(self, console: Console) -> None:
        self.bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=console,
            transient=True,
        )

    def start(self, total: int, done: int) -> None:
        """Draws the bar."""
        self.task = self.bar.add_task("training", total=total, completed=done)
        self.bar.start()

    def advance(self, records: list[Record]) -> None:
        """Moves the bar."""
        self.bar.update(self.task, advance=len(records), description=records[-1].trial.architecture)

    def stop(self) -> None:
        """Takes the bar away."""
        self.bar.stop()


def reporter(console: Console, quiet: bool) -> Reporter:
    """The way to show progress that suits where stderr goes."""
    if quiet:
        return Silent()
    return Bar(console) if console.is_terminal else Lines(console)
