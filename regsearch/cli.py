"""The commands. The only place that prints, and the only place that exits."""

import logging
import os
import sys
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from regsearch.errors import RegsearchError
from regsearch.interrupt import Stopped, stoppable
from regsearch.streams import READER_GONE, OutputError, writable

if TYPE_CHECKING:
    from regsearch.report import Report

SOME_FAILED = 5
NO_OUTPUT = 4
STOPPED = "regsearch: stopped. What is finished is kept; run the same command again to go on."


class Commands(click.Group):
    """The command group; turns the errors of the library into a message and an exit code, once."""

    def main(self, *arguments: Any, **named: Any) -> Any:
        """Runs the program."""
        try:
            with writable():
                return super().main(*arguments, **named)
        except OutputError as error:
            if not str(error):
                sys.exit(READER_GONE)
            click.echo(f"regsearch: error: stdout: expected an output that can be written, got: {error}", err=True)
            sys.exit(NO_OUTPUT)

    def invoke(self, context: click.Context) -> Any:
        """Runs the command."""
        stderr = os.dup(2)  # 2 itself leads elsewhere while TensorFlow is imported
        try:
            with stoppable(partial(_give_up, stderr)):
                return super().invoke(context)
        except RegsearchError as error:
            click.echo(f"regsearch: error: {error}", err=True)
            context.exit(error.exit_code)
        except BrokenPipeError as error:
            if error.filename is not None:
                raise
            raise OutputError from None  # Click would end with the exit code of a fault of ours
        except Stopped as stopped:
            click.echo(STOPPED, err=True)
            context.exit(128 + stopped.number)
        finally:
            os.close(stderr)


def _give_up(stderr: int, number: int) -> None:
    """Ends a run that a signal could not end in time: whatever library it is in does not return."""
    import psutil

    for process in psutil.Process().children(recursive=True):
        with suppress(psutil.Error):
            process.kill()
    with suppress(OSError):
        os.write(stderr, f"{STOPPED}\n".encode())
    os._exit(128 + number)


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="regsearch")
def main() -> None:
    """Finds, by experiment, whether the best L1/L2 lambda depends on how many weights a network has.

    Example: regsearch run configs/smoke.yaml
    """
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("regsearch: warning: %(message)s"))
    handler.addFilter(_Once())
    logging.getLogger("regsearch").handlers = [handler]


class _Once(logging.Filter):
    """Lets each message through once: a full disk would be said every minute, by every worker."""

    def __init__(self) -> None:
        super().__init__()
        self.said: set[str] = set()

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the message is new."""
        new = record.getMessage() not in self.said
        self.said.add(record.getMessage())
        return new


SPEC = click.argument("spec", type=click.Path(path_type=Path))
QUIET = click.option("--quiet", is_flag=True, help="Print nothing but errors.")


@main.command()
@SPEC
def check(spec: Path) -> None:
    """Validates a spec and prints each architecture with its weight counts; trains nothing.

    Example: regsearch check configs/digits.yaml
    """
    from regsearch import datasets, grid, sizing
    from regsearch import spec as specs

    study = specs.load(spec)
    shape = datasets.shape(study)
    sizes = sizing.measure(study, shape)
    trials = len(grid.cells(study, "population", shape.content))
    _print_table(
        ["architecture", "width", "trainable weights", "penalised weights"],
        [[network.name, network.width or "", size.weights, size.penalised] for network, size in sizes.items()],
    )
    click.echo(f"{spec}: valid; {trials} trials on {study.dataset.name}")


@main.command()
@SPEC
@click.option("--out", type=click.Path(path_type=Path), help="Results folder.  [default: results/<name>]")
@click.option(
    "--workers",
    default="auto",
    show_default=True,
    callback=lambda _context, _option, value: _workers(value),
    help="Processes that train: a number, auto (one a core or GPU), or inline (this process).",
)
@click.option(
    "--engine",
    type=click.Choice(["population", "reference"]),
    default="population",
    show_default=True,
    help="Many networks at once, or one at a time by plain Keras.",
)
@click.option("--device", type=click.Choice(["auto", "cpu", "gpu"]), default="auto", show_default=True)
@click.option(
    "--lowering",
    type=click.Choice(["auto", "patches", "shifts", "native"]),
    default="auto",
    show_default=True,
    help="How convolutions are computed; auto goes by shapes and device.",
)
@click.option("--fresh", is_flag=True, help="Move what is in the results folder aside, and train everything.")
@QUIET
def run(
    spec: Path,
    out: Path | None,
    workers: int | None,
    engine: str,
    device: str,
    lowering: str,
    fresh: bool,
    quiet: bool,
) -> None:
    """Trains what is missing of a study, then writes its tables; run again to resume.

    Example: regsearch run configs/digits.yaml
    """
    from regsearch import spec as specs

    study = specs.load(spec)
    results = out or Path("results") / study.name
    from rich.console import Console

    from regsearch import study as studies
    from regsearch.progress import reporter

    how = studies.How(
        engine,
        workers,
        None if device == "auto" else device.upper(),
        None if lowering == "auto" else lowering,
    )
    progress = reporter(Console(stderr=True), quiet)
    try:
        outcome = studies.run(study, results, progress, how, fresh)
    finally:
        progress.stop()
    if not quiet:
        _summarise(outcome.report)
        done = f"trained {outcome.trained}" if outcome.trained else "nothing was missing, so nothing was trained"
        click.echo(f"{outcome.report.total} in the grid: {done}. Results are in {results}/", err=True)
    if outcome.failed:
        names = ", ".join(outcome.failed)
        click.echo(
            f"regsearch: {len(outcome.failed)} networks failed: {names}. Why: {results}/failures.log", err=True
        )
        sys.exit(SOME_FAILED)


@main.command()
@click.argument("results", metavar="DIR", type=click.Path(path_type=Path))
@QUIET
def report(results: Path, quiet: bool) -> None:
    """Rebuilds the tables of a results folder from its ledger; trains nothing.

    Example: regsearch report results/smoke
    """
    from regsearch import folder
    from regsearch import report as reports

    folder.read(results)
    with folder.held(results):
        written = reports.write(results)
    if not quiet:
        _summarise(written)
        if written.missing:
            click.echo(
                f"{written.missing} of {written.total} trials are missing: `regsearch run` trains them", err=True
            )


def _summarise(report: "Report") -> None:
    """Prints the best lambdas as they stand in `best_lambda.csv`."""
    table = report.tables.best_lambda
    if table.empty:
        click.echo("No network has finished yet, or all diverged: there is no best lambda.", err=True)
        return
    axes = [name for name in ("learning_rate", "train_size") if table[name].nunique() > 1]
    rows = []
    for row in table.to_dict("records"):
        best, low, high = (_short(row[f"best_lambda{end}"]) for end in ("", "_low", "_high"))
        rows.append(
            [
                row["architecture"],
                row["trainable_weights"],
                *(row[name] for name in axes),
                row["penalty"],
                row["status"],
                f"{best} ({low} to {high})" if best else f"near {_short(row['best_grid_lambda'])}",
                f"{_short(row['test_loss'])} ({_short(row['test_loss_at_zero'])})",
            ]
        )
    named = [name.replace("_", " ") for name in axes]
    header = ["architecture", "weights", *named, "penalty", "status", "best lambda (95 %)", "test loss (at 0)"]
    _print_table(header, rows)
    for sentences in report.verdict:
        click.echo(sentences)


def _workers(value: str) -> int | None:
    """`auto` as None, `inline` as 0."""
    if value in ("auto", "inline"):
        return None if value == "auto" else 0
    if not value.isdecimal() or not 1 <= int(value) <= 1024:
        raise click.BadParameter(f"expected auto, inline or a number from 1 to 1024, got {value!r}")
    return int(value)


def _short(value: Any) -> str:
    return "" if value is None or value != value else f"{value:.3g}"


def _print_table(header: list[str], rows: list[list[Any]]) -> None:
    from rich import box
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for index, name in enumerate(header):
        table.add_column(name, justify="left" if index == 0 else "right")
    for row in rows:
        table.add_row(*(escape(str(cell)) for cell in row))
    console = Console(width=None if sys.stdout.isatty() else 120)
    with console.capture() as printed:  # Rich would end the process by itself where stdout has no reader
        console.print(table)
    click.echo(printed.get(), nl=False)
