"""The commands. The only place that prints, and the only place that exits."""

import json
import logging
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from regsearch.errors import RegsearchError
from regsearch.interrupt import Stopped, stoppable

if TYPE_CHECKING:
    from regsearch.report import Report

SOME_FAILED = 5


class Commands(click.Group):
    """The command group; turns the errors of the library into a message and an exit code, once."""

    def invoke(self, context: click.Context) -> Any:
        """Runs the command."""
        try:
            with stoppable():
                return super().invoke(context)
        except RegsearchError as error:
            click.echo(f"regsearch: error: {error}", err=True)
            context.exit(error.exit_code)
        except Stopped as stopped:
            click.echo("regsearch: stopped. What is finished is kept; run the same command again to go on.", err=True)
            context.exit(128 + stopped.number)


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="regsearch")
def main() -> None:
    """Finds, by experiment, whether the best L1/L2 lambda depends on how many weights a network has.

    Example: regsearch run configs/smoke.yaml
    """
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("regsearch: warning: %(message)s"))
    logging.getLogger("regsearch").handlers = [handler]


SPEC = click.argument("spec", type=click.Path(path_type=Path))
QUIET = click.option("--quiet", is_flag=True, help="Print nothing but errors.")
XLSX = click.option("--xlsx", is_flag=True, help="Write tables.xlsx too, with a sheet a table.")


@main.command()
@SPEC
def check(spec: Path) -> None:
    """Validates a spec and prints each architecture with its weight counts; trains nothing.

    Example: regsearch check configs/digits.yaml
    """
    from regsearch import backend, datasets, grid, sizing
    from regsearch import spec as specs

    study = specs.load(spec)
    shape = datasets.shape(study)
    sizing.measure(study, shape)
    backend.start()
    from regsearch.networks import weigh

    weighed = weigh(study, shape)
    trials = len(grid.cells(study, "population", shape.content))
    _print_table(
        ["architecture", "width", "trainable weights", "penalised weights"],
        [
            [network.name, network.width or "", counts.trainable, counts.penalised]
            for network, counts in weighed.items()
        ],
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
@XLSX
@QUIET
def run(
    spec: Path,
    out: Path | None,
    workers: int | None,
    engine: str,
    device: str,
    lowering: str,
    xlsx: bool,
    quiet: bool,
) -> None:
    """Trains what is missing of a study, then writes its tables, figures and page; run again to resume.

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
        outcome = studies.run(study, results, progress, how, xlsx)
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
@XLSX
@QUIET
def report(results: Path, xlsx: bool, quiet: bool) -> None:
    """Rebuilds the tables, figures and page of a results folder from its ledger; trains nothing.

    Example: regsearch report results/smoke
    """
    from regsearch import folder
    from regsearch import report as reports

    folder.read(results)
    with folder.held(results):
        written = reports.write(results, xlsx)
    if not quiet:
        _summarise(written)
        if written.missing:
            click.echo(
                f"{written.missing} of {written.total} trials are missing: `regsearch run` trains them", err=True
            )


@main.command()
@click.argument("results", metavar="DIR", type=click.Path(path_type=Path))
@click.option(
    "--weights", type=click.IntRange(1, 10**15), required=True, help="Trainable weights of the network to tune."
)
@click.option("--penalty", help="Only this penalty, as the tables name it.  [default: all]")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def suggest(results: Path, weights: int, penalty: str | None, as_json: bool) -> None:
    """Suggests the range of lambdas to search for a network of another size.

    Example: regsearch suggest results/digits --weights 1000000 --penalty l2
    """
    from regsearch import report as reports
    from regsearch.analysis.suggestion import Refusal, Suggestion, asked

    given = asked(reports.optima(results), weights, penalty, str(results))
    found = [one for one in given if isinstance(one, Suggestion)]
    for one in given:
        if isinstance(one, Refusal):
            click.echo(one.sentence, err=True)
    if as_json:
        click.echo(json.dumps({"weights": weights, "suggestions": [one.facts() for one in found]}, indent=2))
    else:
        click.echo("\n".join(f"{one.sentence}\n\n{one.spec}" for one in found), nl=False)


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
    Console(width=None if sys.stdout.isatty() else 120).print(table)
