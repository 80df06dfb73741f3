"""How far a run is, on stderr: a live display on a terminal, a plain line now and then elsewhere."""

import time
from collections.abc import Callable, Sequence

from rich import box
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.markup import escape
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from regsearch.cli.output import format_number
from regsearch.grid import Cell
from regsearch.ledger import Record, Trial
from regsearch.runner import Reporter, Shares, Tally, format_bytes, format_duration

WIDEST_BAR, NARROWEST_BAR = 40, 8
REFRESHES_A_SECOND = 4
BETWEEN_LINES = 10.0
"""Seconds."""


class Lines(Reporter):
    """Plain lines for a batch log: every 10 seconds at first, then ever more seldom."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.tally = Tally()
        self.started = self.shown = time.monotonic()
        self.downloading: str | None = None

    def download(self, name: str, done: int, total: int) -> None:
        """Prints a line when a file begins to come, every 10 seconds, and when it is here."""
        now = time.monotonic()
        if name == self.downloading and done != total and now - self.shown < BETWEEN_LINES:
            return
        self.downloading, self.shown = name, now
        self._print(f"downloading {name}: {_format_part(done, total)}")

    def start(self, cells: Sequence[Cell], finished: Sequence[Trial], expected: Shares) -> None:
        """Says what there is to do."""
        more = " more" if self.tally.total else ""
        self.tally.grow(cells, finished, expected)
        if expected.trials:
            had = f", {len(finished)} of them in the ledger" if finished else ""
            self._print(f"{len(cells)} trials{more}{had}: training {len(expected.trials)}")

    def advance(self, records: Sequence[Record]) -> None:
        """Prints a line if the last is long enough ago, and at the end."""
        tally = self.tally
        tally.add([record.trial for record in records])
        now = time.monotonic()
        if tally.done < tally.total and now - self.shown < max(BETWEEN_LINES, 0.05 * (now - self.started)):
            return
        self.shown = now
        trial = records[-1].trial
        self._print(
            f"{tally.done}/{tally.total} trials, {format_duration(tally.seconds)}, about "
            f"{format_duration(tally.seconds_left or 0)} left (last: {trial.architecture} {trial.penalty})"
        )

    def _print(self, text: str) -> None:
        """Prints a line, whatever its length."""
        self.console.print(text, highlight=False, markup=False, soft_wrap=True)


class Display(Reporter):
    """A live display on a terminal, drawn in place and taken away at the end."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.tally = Tally()
        self.live: Live | None = None
        self.download_of = ("", 0, 0)

    def download(self, name: str, done: int, total: int) -> None:
        """Draws how far a file is, and takes that away once the file is here."""
        self.download_of = (name, done, total)
        if done == total:
            self.stop()
        elif self.live is None:
            self._draw(lambda: render_download(*self.download_of, self.console.width))

    def start(self, cells: Sequence[Cell], finished: Sequence[Trial], expected: Shares) -> None:
        """Draws it."""
        self.tally.grow(cells, finished, expected)
        if self.live is None and expected.trials:
            self._draw(lambda: render_run(self.tally, self.console.width, self.console.height))

    def advance(self, records: Sequence[Record]) -> None:
        """Takes a population in; the next refresh shows it."""
        self.tally.add([record.trial for record in records])

    def stop(self) -> None:
        """Takes the display away."""
        if self.live is not None:
            self.live.stop()
            self.live = None

    def _draw(self, render: Callable[[], RenderableType]) -> None:
        self.live = Live(
            console=self.console, get_renderable=render, refresh_per_second=REFRESHES_A_SECOND, transient=True
        )
        self.live.start()


def render_download(name: str, done: int, total: int, width: int) -> Table:
    """A file, a bar and how much of it is here: in one line of any width."""
    return _render_line(Text(f"downloading {name}"), Text(_format_part(done, total)), done, total, width)


def _format_part(done: int, total: int) -> str:
    """`11 MiB`, `5 of 11 MiB`."""
    if total in (0, done):
        return format_bytes(done)
    return f"{done / 2**20:.0f} of {format_bytes(total)}"


def render_run(tally: Tally, width: int, height: int) -> RenderableType:
    """A line on the whole run and, where there is room, the best lambdas so far of the networks trained last."""
    room = height - 6  # the headline, the table's heading, what is above and below
    architectures = [name for name in tally.architectures if name in tally.recent[-room:]] if room > 0 else []
    head = render_headline(tally, width)
    if not architectures:
        return head
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, title_justify="left", title_style="")
    table.add_column("best lambda so far", no_wrap=True)
    for penalty in tally.penalties:
        table.add_column(escape(penalty), justify="right", no_wrap=True)
    for name in architectures:
        table.add_row(escape(name), *(format_number(tally.best(name, penalty)) for penalty in tally.penalties))
    return Group(head, table)


def render_headline(tally: Tally, width: int) -> Table:
    """The architecture trained last, a bar, trials, speed and time left: in one line of any width."""
    left = "starting" if tally.seconds_left is None else f"{format_duration(tally.seconds_left)} left"
    rate = tally.trials_a_second
    speed = f" · {rate:.0f} a second" if rate >= 10 else f" · {rate:.2g} a second" if tally.trained else ""
    facts = Text(f"{tally.done}/{tally.total} trials{speed} · {left}")
    name = Text(tally.recent[-1] if tally.trained and tally.recent else "")
    return _render_line(name, facts, tally.done, tally.total, width)


def _render_line(name: Text, facts: Text, done: int, total: int, width: int) -> Table:
    """A name, a bar where there is room for one, and facts."""
    bar = min(WIDEST_BAR, width - len(name) - len(facts) - 4)
    line = Table.grid(padding=(0, 1))
    parts: list[RenderableType] = [name, facts]
    if bar >= NARROWEST_BAR and total:
        parts.insert(1, ProgressBar(total, done, width=bar))
    for _ in parts:
        line.add_column(no_wrap=True, overflow="ellipsis")
    line.add_row(*parts)
    return line


def make_reporter(quiet: bool, console: Console | None = None) -> Reporter:
    """The way to show progress that suits where stderr goes."""
    if quiet:
        return Reporter()
    console = console or Console(stderr=True)
    live = console.is_terminal and not console.is_dumb_terminal and console.file.isatty()
    return Display(console) if live else Lines(console)
