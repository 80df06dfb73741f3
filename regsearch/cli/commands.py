"""The commands. The only place that prints, and the only place that exits."""

import logging
import os
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from regsearch.cli import output as console
from regsearch.cli.interrupt import Stopped, StopSignals
from regsearch.cli.options import JSON, OUT, QUIET, RESULTS, SPEC, XLSX, settings_anywhere, settings_here
from regsearch.cli.streams import READER_GONE, OutputError, writable
from regsearch.errors import RegsearchError

if TYPE_CHECKING:
    from regsearch.runner import Settings

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
            signals = context.obj = StopSignals()
            with signals.caught(partial(_give_up, stderr)):
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


class Warnings(logging.Handler):
    """Prints warnings to what stderr is at that moment: while progress is drawn, that is above it."""

    def emit(self, record: logging.LogRecord) -> None:
        """Prints one."""
        click.echo(self.format(record), err=True)


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="regsearch")
def main() -> None:
    """Finds, by experiment, whether the best L1/L2 lambda depends on how many weights a network has.

    Example: regsearch run configs/smoke.yaml
    """
    handler = Warnings()
    handler.setFormatter(logging.Formatter("regsearch: warning: %(message)s"))
    handler.addFilter(_Once())
    log = logging.getLogger("regsearch")
    log.handlers = [handler]
    log.setLevel(logging.WARNING)


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


@main.command()
@click.argument("path", type=click.Path(path_type=Path), default="study.yaml")
def init(path: Path) -> None:
    """Writes a commented starter spec to PATH (study.yaml), which runs as it stands.

    Example: regsearch init my_study.yaml
    """
    from regsearch import spec as specs

    specs.write_starter(path)
    click.echo(f"{path}: written. Next: regsearch check {path}", err=True)


@main.command()
@SPEC
@JSON
def check(spec: Path, as_json: bool) -> None:
    """Validates a spec and prints each architecture with its weight counts; trains nothing.

    Example: regsearch check configs/digits.yaml
    """
    from regsearch import data, grid
    from regsearch import spec as specs

    study = specs.load(spec)
    facts = data.describe(study)
    rows = console.architectures(grid.measure(study, facts))
    trials = len(grid.make_cells(study, "population", facts.content))
    if as_json:
        named = {"spec": str(spec), "name": study.name, "dataset": study.dataset.name, "trials": trials}
        console.print_json({**named, "architectures": rows})
        return
    console.print_table(
        ["architecture", "width", "trainable weights", "penalised weights"],
        [list(row.values()) for row in rows],
    )
    click.echo(f"{spec}: valid; {trials} trials on {study.dataset.name}")


@main.command()
@SPEC
@OUT
@settings_here
@JSON
@click.pass_obj
def plan(
    signals: StopSignals, spec: Path, out: Path | None, settings: "Callable[[], Settings]", as_json: bool
) -> None:
    """Prints what a run would train, in what memory, and about how long it would take on this machine.

    The time comes from training a few small populations for some seconds, in the workers that the run would use.

    Example: regsearch plan configs/digits.yaml
    """
    started = time.perf_counter()
    from regsearch import runner
    from regsearch import spec as specs

    study = specs.load(spec)
    results = out or Path("results") / study.name
    asked = settings()
    found = runner.make_plan(study, results, asked, started, signals)
    if as_json:
        facts = {"spec": str(spec), "name": study.name, "dataset": study.dataset.name, "results": str(results)}
        console.print_json({**facts, "engine": asked.engine, **console.plan_as_json(found)})
    else:
        console.print_plan(found, results)


@main.command()
@SPEC
@OUT
@settings_anywhere
@click.option("--fresh", is_flag=True, help="Move what is in the results folder aside, and train everything.")
@XLSX
@QUIET
@click.pass_obj
def run(
    signals: StopSignals,
    spec: Path,
    out: Path | None,
    settings: "Callable[[], Settings]",
    fresh: bool,
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
    from regsearch.cli.display import reporter

    if quiet:
        logging.getLogger("regsearch").handlers[0].setLevel(logging.ERROR)
    progress = reporter(Console(stderr=True), quiet)
    try:
        outcome = studies.run(study, results, settings(), progress, signals, fresh=fresh, xlsx=xlsx)
    finally:
        progress.stop()
    if not quiet:
        if outcome.report:
            console.print_summary(outcome.report)
        console.print_closing(outcome, results)
    if outcome.failed:
        names = ", ".join(outcome.failed)
        click.echo(f"regsearch: {len(outcome.failed)} networks failed: {names}. Why: {outcome.failures}", err=True)
        sys.exit(SOME_FAILED)


@main.command()
@SPEC
@OUT
@click.option("--shards", type=click.IntRange(1, 10_000), help="An array of so many shards.  [default: 8]")
@click.option("--workers", type=click.IntRange(1, 10_000), help="So many Dask workers under one driver instead.")
def slurm(spec: Path, out: Path | None, shards: int | None, workers: int | None) -> None:
    """Prints a batch script for Slurm, complete but for what only you know of your site.

    Example: regsearch slurm configs/digits.yaml --shards 8 > digits.sbatch
    """
    from regsearch import data
    from regsearch import spec as specs
    from regsearch.runner import slurm as scripts

    if shards and workers:
        raise click.UsageError("expected either --shards, for a job array, or --workers, for Dask.")
    study = specs.load(spec)
    facts = data.describe(study)
    results = out or Path("results") / study.name
    if workers:
        click.echo(scripts.workers(study, facts, spec, results, workers), nl=False)
    else:
        click.echo(scripts.array(study, facts, spec, results, shards or 8), nl=False)


@main.command()
@RESULTS
@XLSX
@QUIET
def report(results: Path, xlsx: bool, quiet: bool) -> None:
    """Rebuilds the tables, figures and page of a results folder from its ledger; trains nothing.

    Of a folder of results folders it rebuilds all, and a page that shows them side by side.

    Example: regsearch report results/smoke
    """
    from regsearch import ledger
    from regsearch import report as reports

    if reports.find_studies(results):
        found = reports.write_all(results, xlsx)
        if not quiet:
            console.print_studies(found.studies)
        return
    ledger.read_facts(results)
    with ledger.hold(results, ledger.BRIEFLY):
        written = reports.write(reports.read(results), xlsx)
    if not quiet:
        console.print_summary(written)
        if written.missing:
            click.echo(
                f"{written.missing} of {written.total} trials are missing: `regsearch run` trains them", err=True
            )


@main.command()
@RESULTS
@click.option(
    "--weights", type=click.IntRange(1, 10**15), required=True, help="Trainable weights of the network to tune."
)
@click.option("--penalty", help="Only this penalty, as the tables name it.  [default: all]")
@click.option("--below", type=click.IntRange(2), help="Go by networks of fewer weights than this alone.")
@JSON
def suggest(results: Path, weights: int, penalty: str | None, below: int | None, as_json: bool) -> None:
    """Suggests the range of lambdas to search for a network of another size.

    Example: regsearch suggest results/digits --weights 1000000 --penalty l2
    """
    from regsearch import report as reports
    from regsearch.analysis import Refusal, Suggestion, suggest

    optima = reports.read_optima(results)
    if below:
        smallest = optima["trainable_weights"].min()
        if len(optima) and smallest >= below:
            raise click.BadParameter(
                f"expected more than the {smallest} weights of the smallest network, got {below}"
            )
        optima = optima[optima["trainable_weights"] < below]
    given = suggest(optima, weights, penalty, str(results))
    found = [one for one in given if isinstance(one, Suggestion)]
    for one in given:
        if isinstance(one, Refusal):
            click.echo(one.sentence, err=True)
    if as_json:
        console.print_json({"weights": weights, "suggestions": [one.facts() for one in found]})
    else:
        click.echo("\n".join(f"{one.sentence}\n\n{one.spec}" for one in found), nl=False)


@main.command()
def schema() -> None:
    """Prints the JSON Schema of a spec, with which editors complete and check it.

    Example: regsearch schema > regsearch.schema.json
    """
    from regsearch import spec as specs

    console.print_json(specs.schema())


@main.command()
@JSON
def datasets(as_json: bool) -> None:
    """Lists the datasets that a spec may name: their images, classes and where they come from.

    Example: regsearch datasets --json
    """
    from regsearch.data import FOLDER, NAMED, SOURCES, cache
    from regsearch.spec import DOWNLOADED

    rows: list[dict[str, Any]] = []
    for name, origin in SOURCES.items():
        shape = NAMED.get(name)
        rows.append(
            {
                "name": name,
                "image": list(shape.image) if shape else None,
                "classes": shape.outputs if shape else None,
                "images": shape.pool if shape else None,
                "test_images": shape.test if shape else None,
                "source": origin,
                "cache": str(cache() / name) if name in DOWNLOADED else None,
            }
        )
    if as_json:
        console.print_json(rows)
        return
    for row in rows:
        row["image"] = "×".join(map(str, row["image"] or ()))
        del row["cache"]
    header = ["name", "image", "classes", "images", "test images", "source"]
    console.print_table(header, [list(row.values()) for row in rows], text=["source"])
    click.echo(f"Downloads are kept in {cache()}/; ${FOLDER} names another folder.")
